// What an isolated worker sees: a fresh tree that holds nothing but what is named here.
//
//   /usr /bin /sbin /lib… /nix/store /gnu/store   the system's, read-only
//   /etc                                          a few files that programs need to start
//   /dev                                          six harmless nodes; no others work
//   /proc                                         its own processes, read-only
//   /dev/shm                                      an empty scratch in memory, the one place to write
//   the folders that are named to the supervisor  read-only, at their own paths
//
// Nothing else of the machine is mounted, so that nothing else has a name.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

// Numbers from 424 on are the same on every architecture; older headers lack their names.
enum { CALL_OPEN_TREE = 428, CALL_MOVE_MOUNT = 429, CALL_MOUNT_SETATTR = 442 };
enum { CLONE_TREE = 1, TREE_CLOSE_ON_EXEC = O_CLOEXEC, WHOLE_TREE = 0x8000 /* AT_RECURSIVE */ };
enum { MOVE_FROM_EMPTY_PATH = 4 };

// The kernel's struct mount_attr and the flags used of it (Linux 5.12).
struct attributes_of_mount {
  uint64_t set, clear, propagation, user_namespace;
};
enum { ATTRIBUTE_READ_ONLY = 1, ATTRIBUTE_NO_SET_UID = 2, ATTRIBUTE_NO_DEVICES = 4 };

// Where the new tree is put together; the system's own folder is back in sight once it is the root.
#define BASE "/usr"
// A file in the new tree that stands over whatever must not be opened.
#define NOTHING ".nothing"

enum { MOST_SPECIAL_FILES = 4096, MOST_ENTRIES = 1000000, DEEPEST = 200 };

static const char *const system_folders[] = {"/usr",   "/bin",   "/sbin",      "/lib", "/lib32",
                                             "/lib64", "/libx32", "/nix/store", "/gnu/store"};
static const char *const system_files[] = {
    "/etc/alternatives", "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d",
    "/etc/localtime",    "/etc/timezone",    "/etc/mime.types", "/etc/locale.alias",
    "/etc/python3",      "/etc/python3.9",   "/etc/python3.10", "/etc/python3.11",
    "/etc/python3.12",   "/etc/python3.13",  "/etc/python3.14", "/etc/ssl/openssl.cnf",
    "/etc/ssl/certs",    "/etc/pki/tls/certs"};
static const char *const device_nodes[] = {"/dev/null", "/dev/zero",    "/dev/full",
                                           "/dev/random", "/dev/urandom", "/dev/tty"};

// Takes what lies at a path, with what is mounted below it; -1 with errno.
static int take(const char *path, uint64_t attributes) {
  int tree = (int)syscall(CALL_OPEN_TREE, AT_FDCWD, path,
                          CLONE_TREE | TREE_CLOSE_ON_EXEC | WHOLE_TREE);
  if (tree < 0) return -1;
  struct attributes_of_mount mount = {attributes, 0, 0, 0};
  if (!syscall(CALL_MOUNT_SETATTR, tree, "", AT_EMPTY_PATH | WHOLE_TREE, &mount, sizeof mount))
    return tree;
  int fault = errno;
  close(tree);
  errno = fault;
  return -1;
}

// Makes the folders above a relative path, and the path itself: a folder, or an empty file.
static int make_place(const char *path, int is_folder) {
  char part[PATH_MAX];
  if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) return ENAMETOOLONG;
  for (char *end = part; (end = strchr(end, '/')); *end++ = '/') {
    *end = 0;
    // A folder that is mounted read-only holds its own inner folders already.
    if (mkdir(part, 0755) && errno != EEXIST && errno != EROFS) return errno;
  }
  if (is_folder) return mkdir(part, 0755) && errno != EEXIST && errno != EROFS ? errno : 0;
  int file = open(part, O_CREAT | O_RDONLY | O_CLOEXEC, 0444);
  if (file < 0) return errno == EROFS ? 0 : errno;
  close(file);
  return 0;
}

// Mounts a taken tree at its absolute path below the working folder, and closes it.
static int place(int tree, const char *path) {
  const char *relative = path + strspn(path, "/");
  struct stat status;
  int fault = fstat(tree, &status) ? errno : make_place(relative, S_ISDIR(status.st_mode));
  if (!fault && syscall(CALL_MOVE_MOUNT, tree, "", AT_FDCWD, relative, MOVE_FROM_EMPTY_PATH))
    fault = errno;
  close(tree);
  return fault;
}

static int write_file(const char *path, const char *text) {
  int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0444);
  if (file < 0) return errno;
  int fault = write(file, text, strlen(text)) < 0 ? errno : 0;
  close(file);
  return fault;
}

// Fills the list with what is to be shown; each entry has the same index as its path.
static int take_all(const char *const *paths, int count, uint64_t attributes, int *trees) {
  for (int i = 0; i < count; i++) {
    struct stat status;
    trees[i] = -1;
    // Links such as /lib are made anew, pointing where they point.
    if (lstat(paths[i], &status) || S_ISLNK(status.st_mode)) continue;
    if ((trees[i] = take(paths[i], attributes)) < 0) return errno;
  }
  return 0;
}

static int place_all(const char *const *paths, int count, const int *trees) {
  for (int i = 0; i < count; i++) {
    char target[PATH_MAX];
    ssize_t length = trees[i] < 0 ? readlink(paths[i], target, sizeof target - 1) : -1;
    if (length > 0) {
      target[length] = 0;
      const char *relative = paths[i] + 1;
      if (strrchr(relative, '/')) make_place("etc", 1);
      if (symlink(target, relative) && errno != EEXIST) return errno;
    }
    if (trees[i] < 0) continue;
    int fault = place(trees[i], paths[i]);
    if (fault) return fault;
  }
  return 0;
}

// Puts an empty file over every pipe, socket and device of a folder: a read-only mount alone lets
// them be opened for writing.
static int cover_special_files(const char *path, int *entries, int *special, int depth) {
  if (depth > DEEPEST) return ELOOP;
  DIR *folder = opendir(path);
  if (!folder) return errno == ENOTDIR || errno == EACCES ? 0 : errno;
  int fault = 0;
  for (struct dirent *entry; !fault && (entry = readdir(folder));) {
    char inner[PATH_MAX];
    unsigned char type = entry->d_type;
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (++*entries > MOST_ENTRIES) fault = E2BIG;
    if (snprintf(inner, sizeof inner, "%s/%s", path, entry->d_name) >= (int)sizeof inner) continue;
    if (type == DT_UNKNOWN) {
      struct stat status;
      if (lstat(inner, &status)) continue;
      type = IFTODT(status.st_mode);
    }
    if (!fault && type == DT_DIR) fault = cover_special_files(inner, entries, special, depth + 1);
    if (fault || type == DT_DIR || type == DT_REG || type == DT_LNK) continue;
    if (++*special > MOST_SPECIAL_FILES) fault = E2BIG;
    int nothing = fault ? -1 : take(NOTHING, ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_DEVICES);
    if (nothing < 0 ||
        syscall(CALL_MOVE_MOUNT, nothing, "", AT_FDCWD, inner, MOVE_FROM_EMPTY_PATH))
      fault = fault ? fault : errno;
    if (nothing >= 0) close(nothing);
  }
  closedir(folder);
  return fault;
}

static int make_devices(const int *trees, int count) {
  int fault = place_all(device_nodes, count, trees);
  if (fault) return fault;
  if (symlink("/proc/self/fd", "dev/fd") || symlink("/proc/self/fd/0", "dev/stdin") ||
      symlink("/proc/self/fd/1", "dev/stdout") || symlink("/proc/self/fd/2", "dev/stderr"))
    return errno;
  return 0;
}

static int make_identity_files(void) {
  int fault = make_place("etc", 1);
  if (!fault)
    fault = write_file("etc/passwd", "nobody:x:65534:65534:nobody:/dev/shm:/usr/sbin/nologin\n");
  if (!fault) fault = write_file("etc/group", "nogroup:x:65534:\n");
  if (!fault) fault = write_file("etc/hosts", "127.0.0.1 localhost\n");
  if (!fault) fault = write_file("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n");
  return fault;
}

static int enter(void) {
  if (syscall(SYS_pivot_root, ".", ".")) return errno;
  if (umount2(".", MNT_DETACH)) return errno;
  struct attributes_of_mount locked = {ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_SET_UID, 0, 0, 0};
  if (syscall(CALL_MOUNT_SETATTR, AT_FDCWD, "/", 0, &locked, sizeof locked)) return errno;
  return chdir("/") ? errno : 0;
}

#define COUNT(list) ((int)(sizeof(list) / sizeof(list)[0]))

int build_tree(char *const *folders, int count, int covered, int *stage, int *index) {
  const uint64_t locked = ATTRIBUTE_READ_ONLY | ATTRIBUTE_NO_SET_UID | ATTRIBUTE_NO_DEVICES;
  int folder_trees[COUNT(system_folders)], file_trees[COUNT(system_files)];
  int device_trees[COUNT(device_nodes)], fault;
  int *trees = calloc(count + 1, sizeof(int));
  if (!trees) return ENOMEM;
  *stage = CPROCESSES_STAGE_MOUNTS;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return errno;
  // Taken before anything is covered, so that links lead where the user sees them lead.
  if ((fault = take_all(system_folders, COUNT(system_folders), locked, folder_trees))) return fault;
  if ((fault = take_all(system_files, COUNT(system_files), locked, file_trees))) return fault;
  *stage = CPROCESSES_STAGE_DEVICES;
  fault = take_all(device_nodes, COUNT(device_nodes), ATTRIBUTE_NO_SET_UID, device_trees);
  if (fault) return fault;
  *stage = CPROCESSES_STAGE_FOLDER;
  for (*index = 0; *index < count; ++*index)
    if ((trees[*index] = take(folders[*index], locked)) < 0) return errno;

  *stage = CPROCESSES_STAGE_MOUNTS;
  if (mount("tree", BASE, "tmpfs", MS_NOSUID | MS_NODEV, "size=1m,nr_inodes=8k,mode=0755") ||
      chdir(BASE))
    return errno;
  if ((fault = make_identity_files()) || (fault = write_file(NOTHING, ""))) return fault;
  if ((fault = place_all(system_folders, COUNT(system_folders), folder_trees))) return fault;
  if ((fault = place_all(system_files, COUNT(system_files), file_trees))) return fault;
  *stage = CPROCESSES_STAGE_DEVICES;
  if ((fault = make_place("dev/shm", 1)) || (fault = make_devices(device_trees, COUNT(device_nodes))))
    return fault;
  *stage = CPROCESSES_STAGE_SCRATCH;
  if (mount("scratch", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV,
            "size=64m,nr_inodes=16k,mode=0777"))
    return errno;
  *stage = CPROCESSES_STAGE_PROC;
  // The kernel grants a fresh /proc only where the old one is whole and in sight, as it still is.
  if ((fault = make_place("proc", 1))) return fault;
  if (mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
    return errno;
  *stage = CPROCESSES_STAGE_FOLDER;
  int entries = 0, special = 0;
  for (*index = 0; *index < count; ++*index) {
    if ((fault = place(trees[*index], folders[*index]))) return fault;
    if (*index >= covered) continue;
    fault = cover_special_files(folders[*index] + 1, &entries, &special, 0);
    if (fault) return fault;
  }
  free(trees);
  *stage = CPROCESSES_STAGE_MOUNTS;
  // Programs that insist on /tmp write to the scratch, unless a folder is shown below it.
  if (symlink("dev/shm", "tmp") && errno != EEXIST) return errno;
  return enter();
}
