// The supervisor: sub-reaper of one worker and of everything the worker starts.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

extern char **environ;

enum { CAPACITY = 65536, SHORTEST_WATCH_MILLISECONDS = 20, WATCH_SHARE = 50 };

static pid_t descendants[CAPACITY];

// Sends a report. A reader that is gone is not our concern.
static void report(int kind, int value, int stage, int folder) {
  cprocesses_report record = {kind, value, stage, folder};
  send(SUPERVISOR_CONTROL, &record, sizeof record, MSG_NOSIGNAL);
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_milliseconds(int duration) {
  struct timespec rest = {0, duration * 1000000L};
  nanosleep(&rest, NULL);
}

static int limit(int resource, int64_t value) {
  struct rlimit both = {value, value};
  struct rlimit now;
  if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
      (rlim_t)value > now.rlim_max)
    both.rlim_cur = both.rlim_max = now.rlim_max;
  return setrlimit(resource, &both);
}

static int apply_limits(char **arguments) {
  int64_t memory = atoll(arguments[ARGUMENT_MEMORY]);
  int64_t seconds = atoll(arguments[ARGUMENT_CPU]);
  int64_t file = atoll(arguments[ARGUMENT_FILE]);
  // RLIMIT_DATA counts private writable memory; RLIMIT_AS would refuse runtimes that merely
  // reserve addresses (JavaScript engines, sanitizers).
  if (memory > 0 && limit(RLIMIT_DATA, memory)) return errno;
  if (seconds > 0 && limit(RLIMIT_CPU, seconds)) return errno;
  if (file > 0 && limit(RLIMIT_FSIZE, file)) return errno;
  return limit(RLIMIT_CORE, 0) ? errno : 0;
}

// Writes where and why starting failed, and leaves.
static void fail(int pipe, int stage, int fault, int folder) {
  int record[3] = {stage, fault, folder};
  if (write(pipe, record, sizeof record) < 0) {}
  _exit(127);
}

// The worker's argv, behind the folders.
static char **worker_arguments(char **arguments) {
  return arguments + ARGUMENT_FIRST + atoi(arguments[ARGUMENT_FOLDERS]);
}

// In the worker's process: limits, folder, and the worker itself. Does not return.
static void execute(char **arguments, int failures) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  close(SUPERVISOR_CONTROL);
  if (!strcmp(arguments[ARGUMENT_STRIP_BLAS], "1")) unsetenv("OPENBLAS_NUM_THREADS");
  if (chdir(arguments[ARGUMENT_DIRECTORY])) fail(failures, CPROCESSES_STAGE_DIRECTORY, errno, 0);
  int fault = apply_limits(arguments);
  if (fault) fail(failures, CPROCESSES_STAGE_LIMITS, fault, 0);
  // "Text file busy" passes: a process between fork and exec still holds the file open.
  for (int attempt = 0; attempt < 100; attempt++) {
    execve(arguments[ARGUMENT_PATH], worker_arguments(arguments), environ);
    if (errno != ETXTBSY) break;
    pause_milliseconds(10);
  }
  fail(failures, CPROCESSES_STAGE_EXECUTE, errno, 0);
}

// Closes what a program without FD_CLOEXEC on its files let us inherit.
static void close_others(void) {
#ifdef SYS_close_range
  if (!syscall(SYS_close_range, SUPERVISOR_CONTROL + 1, ~0U, 0)) return;
#endif
  for (int i = SUPERVISOR_CONTROL + 1; i < 1024; i++) close(i);
}

static void redirect_to_null(void) {
  int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++) dup2(null, i);
  if (null > 2) close(null);
}

// The first process of an isolated worker's PID namespace: the kernel kills the rest with it.
// Writes the worker's wait status and leaves.
static void first_process(char **arguments, int failures, int statuses, int ready) {
  int stage = 0, folder = 0;
  char word;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (read(ready, &word, 1) != 1) _exit(1);
  close(ready);
  int fault = isolate(arguments + ARGUMENT_FIRST, atoi(arguments[ARGUMENT_FOLDERS]),
                      atoi(arguments[ARGUMENT_COVERED]), &stage, &folder);
  if (fault) fail(failures, stage, fault, folder);
  // A change of user forgets it.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t worker = fork();
  if (worker < 0) fail(failures, CPROCESSES_STAGE_FORK, errno, 0);
  if (worker == 0) {
    close(statuses);
    setsid();
    execute(arguments, failures);
  }
  close(failures);
  close(SUPERVISOR_CONTROL);
  redirect_to_null();
  int status;
  for (pid_t ended; (ended = waitpid(-1, &status, 0)) != worker;)
    if (ended < 0 && errno != EINTR) _exit(1);
  if (write(statuses, &status, sizeof status) < 0) {}
  _exit(0);
}

// Waits for the worker's end, for the word to kill it, or for too many descendants.
static void watch(pid_t child, int signals, int statuses, int64_t allowed) {
  int64_t interval = SHORTEST_WATCH_MILLISECONDS;
  struct pollfd sources[2] = {{SUPERVISOR_CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
  while (1) {
    poll(sources, 2, allowed > 0 ? (int)interval : -1);
    if (sources[0].revents) {
      kill_own_descendants();
      report(CPROCESSES_KILLED, 0, 0, 0);
      return;
    }
    if (sources[1].revents) {
      struct signalfd_siginfo ignored;
      if (read(signals, &ignored, sizeof ignored) < 0) {}
      int status;
      for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (ended != child) continue;
        if (statuses >= 0 && read(statuses, &status, sizeof status) != sizeof status) status = 9;
        kill_own_descendants();
        if (WIFSIGNALED(status)) report(CPROCESSES_SIGNALLED, WTERMSIG(status), 0, 0);
        else report(CPROCESSES_EXITED, WEXITSTATUS(status), 0, 0);
        return;
      }
    }
    if (allowed > 0) {
      int64_t start = milliseconds();
      int count = list_descendants(getpid(), descendants, CAPACITY);
      if (count > allowed) {
        kill_own_descendants();
        report(CPROCESSES_TOO_MANY, count, 0, 0);
        return;
      }
      // A machine with many processes is looked at less often: two hundredths of a core at most.
      interval = (milliseconds() - start) * WATCH_SHARE;
      if (interval < SHORTEST_WATCH_MILLISECONDS) interval = SHORTEST_WATCH_MILLISECONDS;
    }
  }
}

// Starts the worker, or the first process of its namespaces; -1 with errno and the stage set.
static pid_t start(char **arguments, const int failures[2], const int statuses[2], int *stage) {
  int ready[2];
  *stage = CPROCESSES_STAGE_FORK;
  if (strcmp(arguments[ARGUMENT_ISOLATED], "1")) {
    pid_t child = fork();
    if (child) return child;
    // The supervisor's own death is followed at once; the worker's session is its own.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    execute(arguments, failures[1]);
  }
  if (pipe2(ready, O_CLOEXEC)) return -1;
  *stage = CPROCESSES_STAGE_NAMESPACES;
  pid_t child = fork_into_namespaces();
  if (child == 0) {
    close(ready[1]);
    first_process(arguments, failures[1], statuses[1], ready[0]);
  }
  close(ready[0]);
  if (child > 0) {
    *stage = CPROCESSES_STAGE_IDENTITY;
    errno = map_identity(child);
    if (!errno && write(ready[1], "!", 1) == 1) *stage = 0;
  }
  int fault = errno;
  close(ready[1]);
  errno = fault;
  return *stage ? -1 : child;
}

static void supervise(char **arguments) {
  int failures[2], statuses[2], stage = CPROCESSES_STAGE_FORK;
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "reward-superv");
  setsid();
  fcntl(SUPERVISOR_CONTROL, F_SETFD, FD_CLOEXEC);
  close_others();
  sigset_t blocked, children;
  sigfillset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  pid_t child = -1;
  if (signals >= 0 && !pipe2(failures, O_CLOEXEC) && !pipe2(statuses, O_CLOEXEC))
    child = start(arguments, failures, statuses, &stage);
  if (child < 0) {
    report(CPROCESSES_START_FAILED, errno, stage, 0);
    kill_own_descendants();
    return;
  }
  close(failures[1]);
  close(statuses[1]);
  redirect_to_null();
  int record[3];
  if (read(failures[0], record, sizeof record) == sizeof record) {
    kill_own_descendants();
    report(CPROCESSES_START_FAILED, record[1], record[0], record[2]);
    return;
  }
  report(CPROCESSES_STARTED, child, 0, 0);
  int isolated = !strcmp(arguments[ARGUMENT_ISOLATED], "1");
  watch(child, signals, isolated ? statuses[0] : -1, atoll(arguments[ARGUMENT_PROCESSES]));
}

// Runs before main(): an executable that carries this file becomes a supervisor when it is started
// under the supervisor's name, whatever its main() does.
__attribute__((constructor)) static void become_supervisor(int count, char **arguments) {
  if (count <= ARGUMENT_FIRST || strcmp(arguments[0], SUPERVISOR_NAME)) return;
  supervise(arguments);
  _exit(0);
}
