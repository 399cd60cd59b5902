// Starting a supervisor from a program with threads, and reaping it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

static int count_of(char *const *list) {
  int count = 0;
  while (list[count]) count++;
  return count;
}

static void close_pair(int pair[2]) {
  if (pair[0] >= 0) close(pair[0]);
  if (pair[1] >= 0) close(pair[1]);
}

// A number as text that lives as long as the buffer.
static char *number(char buffer[24], int64_t value) {
  snprintf(buffer, 24, "%lld", (long long)value);
  return buffer;
}

// posix_spawn of ourselves under the supervisor's name. The supervisor's environment is the worker's,
// and one thread for a BLAS whose constructor would otherwise start a pool.
static int spawn_supervisor(const cprocesses_launch *launch, const int ends[4], pid_t *supervisor) {
  char numbers[6][24];
  int arguments_count = count_of(launch->arguments);
  int environment_count = count_of(launch->environment);
  int folders_count = launch->isolated ? count_of(launch->folders) : 0;
  char **arguments = calloc(ARGUMENT_FIRST + folders_count + arguments_count + 1, sizeof(char *));
  char **environment = calloc(environment_count + 2, sizeof(char *));
  if (!arguments || !environment) {
    free(arguments);
    free(environment);
    return ENOMEM;
  }
  int own_blas = 1;
  for (int i = 0; i < environment_count; i++) {
    environment[i] = launch->environment[i];
    if (!strncmp(environment[i], "OPENBLAS_NUM_THREADS=", 21)) own_blas = 0;
  }
  if (own_blas) environment[environment_count] = "OPENBLAS_NUM_THREADS=1";
  arguments[0] = SUPERVISOR_NAME;
  arguments[ARGUMENT_MEMORY] = number(numbers[0], launch->memory_bytes);
  arguments[ARGUMENT_CPU] = number(numbers[1], launch->cpu_seconds);
  arguments[ARGUMENT_FILE] = number(numbers[2], launch->file_bytes);
  arguments[ARGUMENT_PROCESSES] = number(numbers[3], launch->processes);
  arguments[ARGUMENT_ISOLATED] = launch->isolated ? "1" : "0";
  arguments[ARGUMENT_STRIP_BLAS] = own_blas ? "1" : "0";
  arguments[ARGUMENT_FOLDERS] = number(numbers[4], folders_count);
  arguments[ARGUMENT_COVERED] = number(numbers[5], launch->covered_folders);
  arguments[ARGUMENT_DIRECTORY] = (char *)launch->directory;
  arguments[ARGUMENT_PATH] = (char *)launch->path;
  for (int i = 0; i < folders_count; i++) arguments[ARGUMENT_FIRST + i] = launch->folders[i];
  for (int i = 0; i < arguments_count; i++)
    arguments[ARGUMENT_FIRST + folders_count + i] = launch->arguments[i];

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  // Our ends lie above SUPERVISOR_CONTROL (see cprocesses_spawn), so no dup2 overwrites a later source.
  for (int i = 0; i < 4; i++) posix_spawn_file_actions_adddup2(&actions, ends[i], i);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  int fault =
      posix_spawn(supervisor, "/proc/self/exe", &actions, &attributes, arguments, environment);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  free(arguments);
  free(environment);
  return fault;
}

// A descriptor above those that the supervisor gives a meaning to.
static int raise_descriptor(int descriptor) {
  if (descriptor < 0 || descriptor > SUPERVISOR_CONTROL) return descriptor;
  int raised = fcntl(descriptor, F_DUPFD_CLOEXEC, SUPERVISOR_CONTROL + 1);
  close(descriptor);
  return raised;
}

int32_t cprocesses_spawn(const cprocesses_launch *launch, cprocesses_worker *worker) {
  int input[2] = {-1, -1}, output[2] = {-1, -1}, errors[2] = {-1, -1}, control[2] = {-1, -1};
  int fault = 0;
  if (pipe2(input, O_CLOEXEC) || pipe2(output, O_CLOEXEC) || pipe2(errors, O_CLOEXEC) ||
      socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
    fault = errno;
  int *pairs[4] = {input, output, errors, control};
  for (int i = 0; i < 4; i++)
    for (int end = 0; end < 2; end++) {
      pairs[i][end] = raise_descriptor(pairs[i][end]);
      if (!fault && pairs[i][end] < 0) fault = EMFILE;
    }
  pid_t supervisor = -1;
  const int ends[4] = {input[0], output[1], errors[1], control[1]};
  if (!fault) {
    begin_starting();
    fault = spawn_supervisor(launch, ends, &supervisor);
    end_starting(fault ? -1 : supervisor);
  }
  if (fault) {
    for (int i = 0; i < 4; i++) close_pair(pairs[i]);
    return fault;
  }
  for (int i = 0; i < 4; i++) close(ends[i]);
  *worker = (cprocesses_worker){supervisor, input[1], output[0], errors[0], control[0]};
  const int ours[4] = {worker->input, worker->output, worker->errors, worker->control};
  for (int i = 0; i < 4; i++) fcntl(ours[i], F_SETFL, fcntl(ours[i], F_GETFL) | O_NONBLOCK);
  return 0;
}

int32_t cprocesses_reap(int32_t supervisor) {
  int status;
  pid_t process;
  do process = waitpid(supervisor, &status, WNOHANG);
  while (process < 0 && errno == EINTR);
  if (process) forget_supervisor(supervisor);
  return process != 0;
}

void cprocesses_kill(int32_t supervisor) { kill(supervisor, SIGKILL); }

void cprocesses_block_sigpipe(void) {
  sigset_t pipes;
  sigemptyset(&pipes);
  sigaddset(&pipes, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipes, NULL);
}

int32_t cprocesses_event(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
