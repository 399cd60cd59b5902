// sandbox: isolated. A worker in namespaces of its own, that sees only the tree built for it, as
// another user without any capability, under a filter of system calls.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

enum { NOBODY = 65534, MOST_CAPABILITIES = 64 };

static int write_text(pid_t process, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", process, name);
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  int fault = write(file, text, strlen(text)) < 0 ? errno : 0;
  close(file);
  return fault;
}

pid_t fork_into_namespaces(void) {
  // The child is the first process of its PID namespace: the kernel kills the others with it.
  const unsigned long flags = CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET |
                              CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD;
  return (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);
}

int map_identity(pid_t child) {
  char map[96];
  int fault;
  if (geteuid() == 0) {
    // Root builds the tree, since its folders may be root's, and then becomes nobody, here too.
    snprintf(map, sizeof map, "0 0 1\n%d %d 1\n", NOBODY, NOBODY);
    if ((fault = write_text(child, "uid_map", map))) return fault;
    return write_text(child, "gid_map", map);
  }
  // An unprivileged process must give up setgroups before it may map its group.
  fault = write_text(child, "setgroups", "deny");
  if (fault && fault != ENOENT) return fault;
  snprintf(map, sizeof map, "%d %u 1\n", NOBODY, geteuid());
  if ((fault = write_text(child, "uid_map", map))) return fault;
  snprintf(map, sizeof map, "%d %u 1\n", NOBODY, getegid());
  return write_text(child, "gid_map", map);
}

// Gives up user, groups and capabilities, those that could come back included.
static int become_nobody(void) {
  for (int i = 0; i < MOST_CAPABILITIES; i++)
    if (prctl(PR_CAPBSET_DROP, i, 0, 0, 0) && errno != EINVAL) return errno;
  // Refused to the unprivileged, who keep the groups that they had.
  if (setgroups(0, NULL) && errno != EPERM) return errno;
  if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY)) return errno;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
  if (syscall(SYS_capset, &header, none)) return errno;
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)) return errno;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
  return 0;
}

// Landlock (Linux 5.19 for moves between folders): files are opened for writing in the scratch and
// at the device nodes alone, even a named pipe that appears in a read-only folder later on.
enum {
  CALL_CREATE_RULESET = 444,
  CALL_ADD_RULE = 445,
  CALL_RESTRICT_SELF = 446,
  MAY_WRITE = 1 << 1,
  MAY_MOVE = 1 << 13,
  RULE_PATH = 1,
  ASK_VERSION = 1
};

static int allow_below(int rules, const char *path, uint64_t access) {
  struct __attribute__((packed)) {
    uint64_t access;
    int32_t folder;
  } rule = {access, open(path, O_PATH | O_CLOEXEC)};
  if (rule.folder < 0) return errno == ENOENT ? 0 : errno;
  int fault = syscall(CALL_ADD_RULE, rules, RULE_PATH, &rule, 0) ? errno : 0;
  close(rule.folder);
  return fault;
}

// Kernels without Landlock have the other walls.
static int restrict_writing(void) {
  if (syscall(CALL_CREATE_RULESET, NULL, 0, ASK_VERSION) < 2) return 0;
  uint64_t handled = MAY_WRITE | MAY_MOVE;
  int rules = (int)syscall(CALL_CREATE_RULESET, &handled, sizeof handled, 0);
  if (rules < 0) return errno;
  static const char *const nodes[] = {"/dev/null",   "/dev/zero",    "/dev/full",
                                      "/dev/random", "/dev/urandom", "/dev/tty"};
  int fault = allow_below(rules, "/dev/shm", MAY_WRITE | MAY_MOVE);
  for (int i = 0; !fault && i < (int)(sizeof nodes / sizeof nodes[0]); i++)
    fault = allow_below(rules, nodes[i], MAY_WRITE);
  if (!fault && syscall(CALL_RESTRICT_SELF, rules, 0)) fault = errno;
  close(rules);
  return fault;
}

// Names what the worker was promised and nobody may read.
static int check_folders(char *const *folders, int count, int *index) {
  for (*index = 0; *index < count; ++*index) {
    struct stat status;
    if (stat(folders[*index], &status)) return errno;
    if (access(folders[*index], S_ISDIR(status.st_mode) ? R_OK | X_OK : R_OK)) return errno;
  }
  return 0;
}

int isolate(char *const *folders, int count, int covered, int *stage, int *index) {
  int fault = build_tree(folders, count, covered, stage, index);
  if (fault) return fault;
  *stage = CPROCESSES_STAGE_IDENTITY;
  if ((fault = become_nobody())) return fault;
  *stage = CPROCESSES_STAGE_UNREADABLE;
  if ((fault = check_folders(folders, count, index))) return fault;
  *stage = CPROCESSES_STAGE_FILTER;
  if ((fault = restrict_writing())) return fault;
  return restrict_calls(stage);
}
