// Shared between the files of CProcesses.
#pragma once

#include <sys/types.h>

#include "CProcesses.h"

#define SUPERVISOR_NAME "grpo-reward-supervisor"
#define SUPERVISOR_CONTROL 3

// Arguments of the supervisor, in this order after its name; then the folders that an isolated
// worker may read, and the worker's own argv.
enum {
  ARGUMENT_MEMORY = 1,
  ARGUMENT_CPU,
  ARGUMENT_FILE,
  ARGUMENT_PROCESSES,
  ARGUMENT_ISOLATED,
  ARGUMENT_STRIP_BLAS,  // 1: OPENBLAS_NUM_THREADS is the supervisor's own, not the worker's
  ARGUMENT_FOLDERS,     // how many folders follow
  ARGUMENT_COVERED,     // in how many of them, from the first, special files are covered
  ARGUMENT_DIRECTORY,
  ARGUMENT_PATH,
  ARGUMENT_FIRST  // the first folder, or the worker's argv[0]
};

// The descendants of a process, at most `capacity`; their number, or -1 without /proc.
int list_descendants(pid_t root, pid_t *list, int capacity);

// Kills every descendant of a process, which isn't itself killed; reaps none.
void stop_and_kill_descendants(pid_t root, pid_t *list, int capacity);

// Kills every descendant of this process and reaps them, until none is left.
void kill_own_descendants(void);

// This process's children that lead or joined a session other than its own.
int list_children_of_other_sessions(pid_t *list, int capacity);

// Held while a supervisor is started, so that nobody takes it for an orphan before it is known.
void begin_starting(void);
void end_starting(pid_t supervisor);

// Says that a supervisor is gone and reaped.
void forget_supervisor(pid_t supervisor);

// Forks the first process of new user, PID, mount, network, IPC, UTS and cgroup namespaces.
pid_t fork_into_namespaces(void);

// In the parent: says who the first process is. Returns 0 or errno.
int map_identity(pid_t child);

// In the first process: the tree, the identity and the filter. Returns 0, or errno with the stage
// and, where it is about one, the folder's index set.
int isolate(char *const *folders, int count, int covered, int *stage, int *index);

// In the first process: a fresh tree with these folders, read-only, as the root.
int build_tree(char *const *folders, int count, int covered, int *stage, int *index);

// Installs the filter of system calls on this process and whatever it starts.
int restrict_calls(int *stage);
