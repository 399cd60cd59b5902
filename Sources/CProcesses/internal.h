// Shared between the files of CProcesses.
#pragma once

#include <sys/types.h>

#include "CProcesses.h"

#define KEEPER_NAME "grpo-reward-keeper"
#define KEEPER_CONTROL 3

// Arguments of the keeper, in this order after its name; then the worker's own argv.
enum {
  ARGUMENT_MEMORY = 1,
  ARGUMENT_CPU,
  ARGUMENT_FILE,
  ARGUMENT_PROCESSES,
  ARGUMENT_ISOLATED,
  ARGUMENT_STRIP_BLAS,  // 1: OPENBLAS_NUM_THREADS is the keeper's own, not the worker's
  ARGUMENT_DIRECTORY,
  ARGUMENT_PATH,
  ARGUMENT_FIRST  // the worker's argv[0]
};

// The descendants of a process, at most `capacity`; their number, or -1 without /proc.
int list_descendants(pid_t root, pid_t *list, int capacity);

// Enters new user, PID, network, IPC and UTS namespaces; children belong to them.
// Returns 0, or errno with the stage set.
int enter_namespaces(int *stage);

// In the first process of the new PID namespace: own mounts, all read-only but a scratch folder.
int make_files_read_only(int *stage);
