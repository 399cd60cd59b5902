// Who descends from whom, read from /proc/PID/stat.
//
// /proc/PID/task/TID/children would be quicker, but kernels may be built without it.
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "internal.h"

typedef struct {
  pid_t process, parent;
} relation;

// The parent of a process; -1 where it is gone. The name in parentheses may hold anything.
static pid_t parent_of(const char *process) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/%s/stat", process);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  ssize_t count = read(file, text, sizeof text - 1);
  close(file);
  if (count <= 0) return -1;
  text[count] = 0;
  const char *end = strrchr(text, ')');
  char state;
  int parent;
  if (!end || sscanf(end + 1, " %c %d", &state, &parent) != 2) return -1;
  return parent;
}

static relation *all_relations(int *count) {
  DIR *folder = opendir("/proc");
  if (!folder) return NULL;
  int capacity = 1024;
  relation *relations = malloc(sizeof(relation) * capacity);
  *count = 0;
  for (struct dirent *entry; relations && (entry = readdir(folder));) {
    if (!isdigit((unsigned char)entry->d_name[0])) continue;
    pid_t parent = parent_of(entry->d_name);
    if (parent < 0) continue;
    if (*count == capacity) {
      capacity *= 2;
      relation *larger = realloc(relations, sizeof(relation) * capacity);
      if (!larger) break;
      relations = larger;
    }
    relations[(*count)++] = (relation){atoi(entry->d_name), parent};
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

int32_t cprocesses_count_descendants(int32_t process) {
  enum { capacity = 65536 };
  pid_t *list = malloc(sizeof(pid_t) * capacity);
  if (!list) return -1;
  int count = list_descendants(process, list, capacity);
  free(list);
  return count;
}
