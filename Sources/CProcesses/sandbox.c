// sandbox: isolated. A user, PID, network and mount namespace for a worker: no network, files
// read-only but a scratch folder in memory, no root, and nobody else's processes in sight.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif

// The kernel's struct mount_attr and the flags used of it (Linux 5.12).
struct attributes_of_mount {
  uint64_t set, clear, propagation, user_namespace;
};
enum { ATTRIBUTE_READ_ONLY = 1, ATTRIBUTE_NO_SET_UID = 2, WHOLE_TREE = 0x8000 };

enum { NOBODY = 65534 };

static int write_text(const char *path, const char *text) {
  int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  int fault = write(file, text, strlen(text)) < 0 ? errno : 0;
  close(file);
  return fault;
}

int enter_namespaces(int *stage) {
  uid_t user = geteuid();
  gid_t group = getegid();
  *stage = CPROCESSES_STAGE_NAMESPACES;
  if (unshare(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
    return errno;
  *stage = CPROCESSES_STAGE_IDENTITY;
  char map[64];
  // An unprivileged process must give up setgroups before it may map its group.
  int fault = write_text("/proc/self/setgroups", "deny");
  if (fault && fault != ENOENT) return fault;
  snprintf(map, sizeof map, "%d %u 1", NOBODY, user);
  if ((fault = write_text("/proc/self/uid_map", map))) return fault;
  snprintf(map, sizeof map, "%d %u 1", NOBODY, group);
  return write_text("/proc/self/gid_map", map);
}

int make_files_read_only(int *stage) {
  struct attributes_of_mount locked = {ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_SET_UID, 0, 0, 0};
  *stage = CPROCESSES_STAGE_MOUNTS;
  if (unshare(CLONE_NEWNS)) return errno;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return errno;
  *stage = CPROCESSES_STAGE_READ_ONLY;
  if (syscall(SYS_mount_setattr, AT_FDCWD, "/", WHOLE_TREE, &locked, sizeof locked)) return errno;
  *stage = CPROCESSES_STAGE_MOUNTS;
  if (mount("scratch", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=64m,mode=0777"))
    return errno;
  // Containers mask parts of /proc, and the kernel then refuses a fresh one: an empty folder hides
  // the processes outside as well.
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) &&
      mount("proc", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY, "size=4k"))
    return errno;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return errno;
  return 0;
}
