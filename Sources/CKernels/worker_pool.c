#define _GNU_SOURCE
#include "WorkerPool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

// How a job is handed over. `ticket` holds the job's number (high half) and its tasks left to claim
// (low half), so that one compare-and-swap both claims a task and proves that the job is still the
// one that the thread looked at: a thread that wakes late can claim nothing of a later job by
// mistake. The fields of the job are read only after a claim, when the job cannot end before the
// claimed task is done.
struct WorkerPool {
  _Alignas(64) _Atomic uint64_t ticket;
  _Alignas(64) _Atomic long unfinished;
  _Alignas(64) WorkerTask function;
  void *context;
  long tasks;
  uint32_t job;

  _Alignas(64) pthread_mutex_t running; // held while a job is under way
  pthread_mutex_t sleeping;             // guards the two conditions
  pthread_cond_t work, done;
  _Atomic int sleepers;
  _Atomic int caller_sleeps;
  _Atomic int ending;

  int threads, started;
  struct Worker {
    WorkerPool *pool;
    pthread_t thread;
    int index;
  } workers[];
};

// Some tens of microseconds: longer than the gaps between the operations of a forward pass, short
// enough that an idle program gives its cores back at once.
enum { SPINS = 2000 };

static inline void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static inline uint32_t job_of(uint64_t ticket) { return (uint32_t)(ticket >> 32); }
static inline uint32_t left_of(uint64_t ticket) { return (uint32_t)ticket; }

// Takes tasks of whatever job is current until none is left.
static void work_off(WorkerPool *pool, int worker) {
  long finished = 0;
  uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
  uint32_t job = job_of(ticket);
  while (left_of(ticket) > 0 && job_of(ticket) == job) {
    if (!atomic_compare_exchange_weak_explicit(
            &pool->ticket, &ticket, ticket - 1, memory_order_acq_rel, memory_order_acquire))
      continue;
    pool->function(pool->context, pool->tasks - (long)left_of(ticket), worker);
    finished++;
    ticket = atomic_load_explicit(&pool->ticket, memory_order_acquire);
  }
  if (finished == 0) return;
  long before = atomic_fetch_sub_explicit(&pool->unfinished, finished, memory_order_seq_cst);
  if (before == finished && atomic_load_explicit(&pool->caller_sleeps, memory_order_seq_cst)) {
    pthread_mutex_lock(&pool->sleeping);
    pthread_cond_signal(&pool->done);
    pthread_mutex_unlock(&pool->sleeping);
  }
}

static int has_work(WorkerPool *pool, uint32_t seen) {
  uint64_t ticket = atomic_load_explicit(&pool->ticket, memory_order_seq_cst);
  return job_of(ticket) != seen && left_of(ticket) > 0;
}

static void *worker_main(void *argument) {
  struct Worker *self = argument;
  WorkerPool *pool = self->pool;
  uint32_t seen = 0;
  for (;;) {
    int spins = 0;
    while (!has_work(pool, seen) && spins < SPINS) {
      pause_briefly();
      spins++;
    }
    if (!has_work(pool, seen)) {
      pthread_mutex_lock(&pool->sleeping);
      atomic_fetch_add_explicit(&pool->sleepers, 1, memory_order_seq_cst);
      while (!has_work(pool, seen) && !pool->ending)
        pthread_cond_wait(&pool->work, &pool->sleeping);
      atomic_fetch_sub_explicit(&pool->sleepers, 1, memory_order_seq_cst);
      pthread_mutex_unlock(&pool->sleeping);
    }
    if (pool->ending) return NULL;
    seen = job_of(atomic_load_explicit(&pool->ticket, memory_order_acquire));
    work_off(pool, self->index);
  }
}

WorkerPool *worker_pool_create(int threads) {
  size_t size = sizeof(WorkerPool) + (size_t)threads * sizeof(struct Worker);
  WorkerPool *pool = aligned_alloc(64, (size + 63) / 64 * 64);
  if (!pool) return NULL;
  *pool = (WorkerPool){.threads = threads};
  pthread_mutex_init(&pool->running, NULL);
  pthread_mutex_init(&pool->sleeping, NULL);
  pthread_cond_init(&pool->work, NULL);
  pthread_cond_init(&pool->done, NULL);
  for (int i = 1; i < threads; i++) {
    pool->workers[i] = (struct Worker){.pool = pool, .index = i};
    if (pthread_create(&pool->workers[i].thread, NULL, worker_main, &pool->workers[i]) != 0) {
      worker_pool_destroy(pool);
      return NULL;
    }
    pool->started = i;
  }
  return pool;
}

void worker_pool_destroy(WorkerPool *pool) {
  pthread_mutex_lock(&pool->sleeping);
  pool->ending = 1;
  pthread_cond_broadcast(&pool->work);
  pthread_mutex_unlock(&pool->sleeping);
  for (int i = 1; i <= pool->started; i++) pthread_join(pool->workers[i].thread, NULL);
  pthread_cond_destroy(&pool->work);
  pthread_cond_destroy(&pool->done);
  pthread_mutex_destroy(&pool->sleeping);
  pthread_mutex_destroy(&pool->running);
  free(pool);
}

void worker_pool_run(WorkerPool *pool, long tasks, WorkerTask function, void *context) {
  if (tasks <= 0) return;
  if (tasks == 1 || tasks > INT32_MAX || pthread_mutex_trylock(&pool->running) != 0) {
    for (long task = 0; task < tasks; task++) function(context, task, 0);
    return;
  }
  pool->function = function;
  pool->context = context;
  pool->tasks = tasks;
  pool->job++;
  atomic_store_explicit(&pool->unfinished, tasks, memory_order_relaxed);
  atomic_store_explicit(
      &pool->ticket, (uint64_t)pool->job << 32 | (uint64_t)tasks, memory_order_seq_cst);
  if (atomic_load_explicit(&pool->sleepers, memory_order_seq_cst) > 0) {
    pthread_mutex_lock(&pool->sleeping);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->sleeping);
  }
  work_off(pool, 0);
  for (int spins = 0; spins < SPINS; spins++) {
    if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) == 0) break;
    pause_briefly();
  }
  if (atomic_load_explicit(&pool->unfinished, memory_order_acquire) > 0) {
    // A worker has lost its core to another job: give it ours.
    pthread_mutex_lock(&pool->sleeping);
    atomic_store_explicit(&pool->caller_sleeps, 1, memory_order_seq_cst);
    while (atomic_load_explicit(&pool->unfinished, memory_order_seq_cst) > 0)
      pthread_cond_wait(&pool->done, &pool->sleeping);
    atomic_store_explicit(&pool->caller_sleeps, 0, memory_order_seq_cst);
    pthread_mutex_unlock(&pool->sleeping);
  }
  pthread_mutex_unlock(&pool->running);
}

int available_processors(void) {
#if defined(__linux__)
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}
