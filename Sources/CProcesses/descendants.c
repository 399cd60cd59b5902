// Who descends from whom, read from /proc/PID/stat; and the end of all who do.
//
// /proc/PID/task/TID/children would be quicker, but kernels may be built without it.
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

typedef struct {
  pid_t process, parent, session;
} relation;

// Whose child a process is; false where it is gone. The name in parentheses may hold anything.
static int read_relation(const char *process, relation *result) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%s/stat", process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  if (count <= 0) return 0;
  text[count] = 0;
  const char *end = strrchr(text, ')');
  char state;
  result->process = atoi(process);
  return end && sscanf(end + 1, " %c %d %*d %d", &state, &result->parent, &result->session) == 3;
}

static relation *all_relations(int *count) {
  DIR *folder = opendir("/proc");
  if (!folder) return NULL;
  int capacity = 1024;
  relation *relations = malloc(sizeof(relation) * capacity);
  *count = 0;
  for (struct dirent *entry; relations && (entry = readdir(folder));) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    relation found;
    if (!read_relation(entry->d_name, &found)) continue;
    if (*count == capacity) {
      capacity *= 2;
      relation *larger = realloc(relations, sizeof(relation) * capacity);
      if (!larger) break;
      relations = larger;
    }
    relations[(*count)++] = found;
  }
  closedir(folder);
  return relations;
}

int list_descendants(pid_t root, pid_t *list, int capacity) {
  int relations_count = 0, found = 0;
  relation *relations = all_relations(&relations_count);
  if (!relations) return -1;
  // Breadth first: the list is its own queue. Process ids may wrap, so order proves nothing.
  for (int next = -1; next < found; next++) {
    pid_t parent = next < 0 ? root : list[next];
    for (int i = 0; i < relations_count && found < capacity; i++)
      if (relations[i].parent == parent) list[found++] = relations[i].process;
  }
  free(relations);
  return found;
}

static int64_t milliseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void rest_milliseconds(int duration) {
  struct timespec rest = {0, duration * 1000000L};
  nanosleep(&rest, NULL);
}

enum { CAPACITY = 65536, LONGEST_KILL_MILLISECONDS = 5000 };

// They are stopped first, until a listing finds none that runs on, so that a fork bomb can't outrun
// the list.
void stop_and_kill_descendants(pid_t root, pid_t *list, int capacity) {
  int before = -1, count;
  for (int round = 0; round < 100; round++) {
    count = list_descendants(root, list, capacity);
    for (int i = 0; i < count; i++) kill(list[i], SIGSTOP);
    if (count <= before || count <= 1) break;
    before = count;
  }
  for (int i = 0; i < count; i++) kill(list[i], SIGKILL);
}

void kill_own_descendants(void) {
  pid_t *list = malloc(sizeof(pid_t) * CAPACITY);
  if (!list) return;
  for (int64_t start = milliseconds(); milliseconds() - start < LONGEST_KILL_MILLISECONDS;) {
    stop_and_kill_descendants(getpid(), list, CAPACITY);
    pid_t reaped;
    while ((reaped = waitpid(-1, NULL, WNOHANG)) > 0) {}
    if (reaped < 0 && errno == ECHILD) break;
    rest_milliseconds(1);
  }
  free(list);
}

int list_children_of_other_sessions(pid_t *list, int capacity) {
  int relations_count = 0, found = 0;
  relation *relations = all_relations(&relations_count);
  if (!relations) return -1;
  pid_t session = getsid(0);
  for (int i = 0; i < relations_count && found < capacity; i++)
    if (relations[i].parent == getpid() && relations[i].session != session)
      list[found++] = relations[i].process;
  free(relations);
  return found;
}

int32_t cprocesses_count_descendants(int32_t process) {
  enum { capacity = 65536 };
  pid_t *list = malloc(sizeof(pid_t) * capacity);
  if (!list) return -1;
  int count = list_descendants(process, list, capacity);
  free(list);
  return count;
}
