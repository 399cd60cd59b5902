// The keeper: sub-reaper of one worker and of everything the worker starts.
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
static void report(int kind, int value, int stage) {
  cprocesses_report record = {kind, value, stage};
  send(KEEPER_CONTROL, &record, sizeof record, MSG_NOSIGNAL);
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

// Kills every descendant. They are stopped first, until a listing finds none that runs on, so that
// a fork bomb can't outrun the list; then killed and reaped until none is left.
static void kill_descendants(void) {
  int before = -1;
  for (int round = 0; round < 100; round++) {
    int count = list_descendants(getpid(), descendants, CAPACITY);
    for (int i = 0; i < count; i++) kill(descendants[i], SIGSTOP);
    if (count <= before || count <= 1) break;
    before = count;
  }
  for (int64_t start = milliseconds(); milliseconds() - start < 5000;) {
    int count = list_descendants(getpid(), descendants, CAPACITY);
    for (int i = 0; i < count; i++) kill(descendants[i], SIGKILL);
    pid_t reaped;
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (reaped < 0 && errno == ECHILD) return;
    pause_milliseconds(1);
  }
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
static void fail(int pipe, int stage, int fault) {
  int record[2] = {stage, fault};
  if (write(pipe, record, sizeof record) < 0) {}
  _exit(127);
}

// In the worker's process: limits, folder, and the worker itself. Does not return.
static void execute(char **arguments, int failures) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  close(KEEPER_CONTROL);
  if (!strcmp(arguments[ARGUMENT_STRIP_BLAS], "1")) unsetenv("OPENBLAS_NUM_THREADS");
  if (chdir(arguments[ARGUMENT_DIRECTORY])) fail(failures, CPROCESSES_STAGE_DIRECTORY, errno);
  int fault = apply_limits(arguments);
  if (fault) fail(failures, CPROCESSES_STAGE_LIMITS, fault);
  // "Text file busy" passes: a process between fork and exec still holds the file open.
  for (int attempt = 0; attempt < 100; attempt++) {
    execve(arguments[ARGUMENT_PATH], arguments + ARGUMENT_FIRST, environ);
    if (errno != ETXTBSY) break;
    pause_milliseconds(10);
  }
  fail(failures, CPROCESSES_STAGE_EXECUTE, errno);
}

// Closes what a program without FD_CLOEXEC on its files let us inherit.
static void close_others(void) {
#ifdef SYS_close_range
  if (!syscall(SYS_close_range, KEEPER_CONTROL + 1, ~0U, 0)) return;
#endif
  for (int i = KEEPER_CONTROL + 1; i < 1024; i++) close(i);
}

static void redirect_to_null(void) {
  int null = open("/dev/null", O_RDWR);
  for (int i = 0; i < 3; i++) dup2(null, i);
  if (null > 2) close(null);
}

// The first process of an isolated worker's PID namespace: the kernel kills the rest with it.
// Writes the worker's wait status and leaves.
static void first_process(char **arguments, int failures, int statuses) {
  int stage = 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int fault = make_files_read_only(&stage);
  if (fault) fail(failures, stage, fault);
  pid_t worker = fork();
  if (worker < 0) fail(failures, CPROCESSES_STAGE_FORK, errno);
  if (worker == 0) {
    close(statuses);
    execute(arguments, failures);
  }
  close(failures);
  close(KEEPER_CONTROL);
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
  struct pollfd sources[2] = {{KEEPER_CONTROL, POLLIN, 0}, {signals, POLLIN, 0}};
  while (1) {
    poll(sources, 2, allowed > 0 ? (int)interval : -1);
    if (sources[0].revents) {
      kill_descendants();
      report(CPROCESSES_KILLED, 0, 0);
      return;
    }
    if (sources[1].revents) {
      struct signalfd_siginfo ignored;
      if (read(signals, &ignored, sizeof ignored) < 0) {}
      int status;
      for (pid_t ended; (ended = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (ended != child) continue;
        if (statuses >= 0 && read(statuses, &status, sizeof status) != sizeof status) status = 9;
        kill_descendants();
        if (WIFSIGNALED(status)) report(CPROCESSES_SIGNALLED, WTERMSIG(status), 0);
        else report(CPROCESSES_EXITED, WEXITSTATUS(status), 0);
        return;
      }
    }
    if (allowed > 0) {
      int64_t start = milliseconds();
      int count = list_descendants(getpid(), descendants, CAPACITY);
      if (count > allowed) {
        kill_descendants();
        report(CPROCESSES_TOO_MANY, count, 0);
        return;
      }
      // A machine with many processes is looked at less often: two hundredths of a core at most.
      interval = (milliseconds() - start) * WATCH_SHARE;
      if (interval < SHORTEST_WATCH_MILLISECONDS) interval = SHORTEST_WATCH_MILLISECONDS;
    }
  }
}

static void keep(char **arguments) {
  int failures[2], statuses[2] = {-1, -1}, stage = CPROCESSES_STAGE_FORK, fault = 0;
  int isolated = !strcmp(arguments[ARGUMENT_ISOLATED], "1");
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_NAME, "reward-keeper");
  setsid();
  fcntl(KEEPER_CONTROL, F_SETFD, FD_CLOEXEC);
  close_others();
  sigset_t blocked;
  sigfillset(&blocked);
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  sigset_t children;
  sigemptyset(&children);
  sigaddset(&children, SIGCHLD);
  int signals = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0 || pipe2(failures, O_CLOEXEC)) fault = errno;
  if (!fault && isolated) {
    fault = enter_namespaces(&stage);
    if (!fault && pipe2(statuses, O_CLOEXEC)) fault = errno;
  }
  pid_t child = fault ? -1 : fork();
  if (!fault && child < 0) fault = errno;
  if (fault) {
    report(CPROCESSES_START_FAILED, fault, stage);
    return;
  }
  if (child == 0) {
    if (isolated) first_process(arguments, failures[1], statuses[1]);
    // The keeper's own death is followed at once; the worker's session is its own.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    execute(arguments, failures[1]);
  }
  close(failures[1]);
  if (isolated) close(statuses[1]);
  redirect_to_null();
  int record[2];
  if (read(failures[0], record, sizeof record) == sizeof record) {
    kill_descendants();
    report(CPROCESSES_START_FAILED, record[1], record[0]);
    return;
  }
  report(CPROCESSES_STARTED, child, 0);
  watch(child, signals, statuses[0], atoll(arguments[ARGUMENT_PROCESSES]));
}

// Runs before main(): an executable that carries this file becomes a keeper when it is started
// under the keeper's name, whatever its main() does.
__attribute__((constructor)) static void become_keeper(int count, char **arguments) {
  if (count <= ARGUMENT_FIRST || strcmp(arguments[0], KEEPER_NAME)) return;
  keep(arguments);
  _exit(0);
}
