// A persistent pool of threads for fork-join work of microseconds.
#pragma once

typedef struct WorkerPool WorkerPool;

/// One piece of work: `task` counts from 0, `worker` is below the pool's thread count and names the
/// scratch memory that the piece may use.
typedef void (*WorkerTask)(void *_Nonnull context, long task, int worker);

/// Starts `threads - 1` threads (the caller is the last one); null where the system refuses.
WorkerPool *_Nullable worker_pool_create(int threads);

/// Ends the threads; no work may be under way.
void worker_pool_destroy(WorkerPool *_Nonnull pool);

/// Calls `function(context, task, worker)` for each task below `tasks`, on all threads of the pool,
/// and returns when all have finished. Which thread takes which task is left to chance, so a task's
/// result must not depend on its worker. Called while the pool is at work (from another thread, or
/// from inside a task) it does the work alone, as worker 0 of nobody's scratch memory: callers that
/// use scratch memory must not do that.
void worker_pool_run(
    WorkerPool *_Nonnull pool, long tasks, WorkerTask _Nonnull function, void *_Nonnull context);

/// The processors that this process may run on.
int available_processors(void);
