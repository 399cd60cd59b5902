// The sub-reaper of last resort: this process inherits what a dead supervisor leaves.
//
// Such an orphan is told from this process's other children by its session. Supervisors and workers
// begin sessions of their own, and no process can come back to an older one; other children (a
// compiler, say) share this process's. Only a process that is the program's own inherits: within a test
// runner, orphans of others would stay as zombies that its own waiting for any child never gets past.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "internal.h"

enum { CAPACITY = 8192, ROUNDS = 1000, REST_MICROSECONDS = 1000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t supervisors[CAPACITY];
static int supervisors_count;

static int inherits;

void cprocesses_inherit_orphans(void) {
  pthread_mutex_lock(&lock);
  inherits = prctl(PR_SET_CHILD_SUBREAPER, 1) == 0;
  pthread_mutex_unlock(&lock);
}

void begin_starting(void) { pthread_mutex_lock(&lock); }

void end_starting(pid_t supervisor) {
  if (supervisor > 0 && supervisors_count < CAPACITY) supervisors[supervisors_count++] = supervisor;
  pthread_mutex_unlock(&lock);
}

void forget_supervisor(pid_t supervisor) {
  pthread_mutex_lock(&lock);
  for (int i = 0; i < supervisors_count; i++)
    if (supervisors[i] == supervisor) supervisors[i--] = supervisors[--supervisors_count];
  pthread_mutex_unlock(&lock);
}

static int is_supervisor(pid_t process) {
  for (int i = 0; i < supervisors_count; i++)
    if (supervisors[i] == process) return 1;
  return 0;
}

// One round: kills every orphan and what descends from it; how many there were.
static int kill_orphans(pid_t *children, pid_t *below) {
  int count = list_children_of_other_sessions(children, CAPACITY), orphans = 0;
  for (int i = 0; i < count; i++) {
    if (is_supervisor(children[i])) continue;
    orphans++;
    kill(children[i], SIGSTOP);
    stop_and_kill_descendants(children[i], below, CAPACITY);
    kill(children[i], SIGKILL);
    // What is not reaped yet, and what it leaves to us, is found by the next round.
    waitpid(children[i], NULL, WNOHANG);
  }
  return orphans;
}

void cprocesses_kill_adopted(void) {
  pid_t *children = malloc(2 * sizeof(pid_t) * CAPACITY);
  if (!children) return;
  pthread_mutex_lock(&lock);
  // A supervisor is known until it is reaped; with the table full none may be taken for an orphan.
  if (inherits && supervisors_count < CAPACITY)
    for (int round = 0; round < ROUNDS && kill_orphans(children, children + CAPACITY) > 0; round++)
      usleep(REST_MICROSECONDS);
  pthread_mutex_unlock(&lock);
  free(children);
}
