// Child processes that leave nothing behind.
//
// A worker runs beneath a supervisor: a second copy of this executable, entered before main(), whose
// only work is to be the worker's sub-reaper. Whatever the worker starts, a grandchild in a session
// of its own too, stays a descendant of the supervisor, and the supervisor kills every descendant when it
// is told to, when the worker ends, or when the process that started it is gone (its end of the
// control socket closes, even after kill -9). A worker that kills its supervisor leaves its children
// to this process, the sub-reaper of last resort: cprocesses_kill_adopted ends them.
#pragma once

#include <stdint.h>

// What to run and within which limits; a limit of 0 is no limit.
typedef struct {
  const char *_Nonnull path;                      // the executable, absolute
  char *_Nullable const *_Nonnull arguments;      // argv, from argv[0], ending with NULL
  char *_Nullable const *_Nonnull environment;    // envp, ending with NULL
  const char *_Nonnull directory;                 // the working directory
  int64_t memory_bytes;                           // RLIMIT_DATA of each process
  int64_t cpu_seconds;                            // RLIMIT_CPU of each process
  int64_t file_bytes;                             // RLIMIT_FSIZE of each process
  int64_t processes;                              // descendants at one time, watched by the supervisor
  int32_t isolated;                               // 1: see sandbox.c; the rest is for it alone
  char *_Nullable const *_Nonnull folders;        // what it may read besides the system, NULL last
  int64_t covered_folders;                        // in how many of the first no pipe can be opened
} cprocesses_launch;

// A running supervisor and our ends of its pipes, all non-blocking and closed on exec.
typedef struct {
  int32_t supervisor;   // process id of the supervisor, to be waited for
  int32_t input;    // write: the worker's standard input
  int32_t output;   // read: its standard output
  int32_t errors;   // read: its standard error
  int32_t control;  // read reports; closing it, or writing a byte, kills the worker
} cprocesses_worker;

// What a supervisor reports on the control socket.
enum {
  CPROCESSES_STARTED = 1,        // the worker's executable runs; value: its process id
  CPROCESSES_START_FAILED = 2,   // stage and errno
  CPROCESSES_EXITED = 3,         // value: exit status
  CPROCESSES_SIGNALLED = 4,      // value: signal number
  CPROCESSES_TOO_MANY = 5,       // value: how many descendants there were
  CPROCESSES_KILLED = 6          // on our word
};

// Where starting a worker failed.
enum {
  CPROCESSES_STAGE_EXECUTE = 1,
  CPROCESSES_STAGE_DIRECTORY = 2,
  CPROCESSES_STAGE_LIMITS = 3,
  CPROCESSES_STAGE_FORK = 4,
  CPROCESSES_STAGE_NAMESPACES = 5,
  CPROCESSES_STAGE_IDENTITY = 6,
  CPROCESSES_STAGE_MOUNTS = 7,
  CPROCESSES_STAGE_DEVICES = 8,
  CPROCESSES_STAGE_SCRATCH = 9,
  CPROCESSES_STAGE_PROC = 10,
  CPROCESSES_STAGE_FILTER = 11,
  CPROCESSES_STAGE_FOLDER = 12,     // a folder can't be shown; `folder` says which
  CPROCESSES_STAGE_UNREADABLE = 13  // a folder can't be read by the worker's user
};

typedef struct {
  int32_t kind;
  int32_t value;
  int32_t stage;
  int32_t folder;
} cprocesses_report;

// Starts a supervisor and beneath it the worker; returns 0 or errno. Safe in a program with threads.
int32_t cprocesses_spawn(const cprocesses_launch *_Nonnull launch,
                         cprocesses_worker *_Nonnull worker);

// Reaps a supervisor that has ended: 1 done (or not ours), 0 still running.
int32_t cprocesses_reap(int32_t supervisor);

// Sends SIGKILL to a supervisor that doesn't answer.
void cprocesses_kill(int32_t supervisor);

// Makes this process the sub-reaper of last resort: for the program's own process, at its start.
void cprocesses_inherit_orphans(void);

// Kills what was left to this process by supervisors that died, with all its descendants; nothing where
// it doesn't inherit.
void cprocesses_kill_adopted(void);

// Blocks SIGPIPE in the calling thread, so that writing to a closed pipe is EPIPE.
void cprocesses_block_sigpipe(void);

// How many processes descend from a process (itself not counted); -1 without /proc.
int32_t cprocesses_count_descendants(int32_t process);

// A descriptor that another thread makes readable by writing eight bytes; -1 where there is none.
int32_t cprocesses_event(void);
