// The system calls of an isolated worker: a seccomp filter in classic BPF.
//
// Refused with EPERM is what reaches beyond the worker: sockets of every family, namespaces and
// mounts, keys, other processes' memory, and what is for administrators alone. clone3, whose flags a
// filter can't see, and calls newer than this list are ENOSYS, as on an older kernel: libraries then
// take the older way.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "internal.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

// The newest call that was considered (removexattrat). It also shuts out the x32 calls of x86_64.
enum { NEWEST_CALL = 466 };

// Numbers from 424 on are the same on every architecture; older headers lack their names.
enum {
  CALL_PIDFD_SEND_SIGNAL = 424,
  CALL_IO_URING_SETUP = 425,
  CALL_IO_URING_ENTER = 426,
  CALL_IO_URING_REGISTER = 427,
  CALL_OPEN_TREE = 428,
  CALL_MOVE_MOUNT = 429,
  CALL_FSOPEN = 430,
  CALL_FSCONFIG = 431,
  CALL_FSMOUNT = 432,
  CALL_FSPICK = 433,
  CALL_CLONE3 = 435,
  CALL_PIDFD_GETFD = 438,
  CALL_PROCESS_MADVISE = 440,
  CALL_MOUNT_SETATTR = 442,
  CALL_QUOTACTL_FD = 443,
  CALL_MEMFD_SECRET = 447,
  CALL_STATMOUNT = 457,
  CALL_LISTMOUNT = 458,
};

static const int refused[] = {
    // Other programs of this machine and of the network.
    SYS_socket, SYS_connect, SYS_bind, SYS_listen, SYS_accept, SYS_accept4,
    // Namespaces and mounts.
    SYS_unshare, SYS_setns, SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, CALL_OPEN_TREE,
    CALL_MOVE_MOUNT, CALL_FSOPEN, CALL_FSCONFIG, CALL_FSMOUNT, CALL_FSPICK, CALL_MOUNT_SETATTR,
    CALL_STATMOUNT, CALL_LISTMOUNT, SYS_name_to_handle_at, SYS_open_by_handle_at,
    SYS_fanotify_init, SYS_fanotify_mark,
    // Keys.
    SYS_add_key, SYS_request_key, SYS_keyctl,
    // Other processes.
    SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp, CALL_PIDFD_GETFD,
    CALL_PROCESS_MADVISE, SYS_move_pages, SYS_migrate_pages,
    // Parts of the kernel with a history of holes.
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, CALL_IO_URING_SETUP, CALL_IO_URING_ENTER,
    CALL_IO_URING_REGISTER, CALL_MEMFD_SECRET, SYS_vmsplice,
    // The machine.
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon,
    SYS_swapoff, SYS_quotactl, CALL_QUOTACTL_FD, SYS_acct, SYS_syslog, SYS_settimeofday,
    SYS_clock_settime, SYS_clock_adjtime, SYS_adjtimex, SYS_sethostname, SYS_setdomainname,
    SYS_vhangup,
#ifdef SYS_kexec_file_load
    SYS_kexec_file_load,
#endif
#ifdef SYS_nfsservctl
    SYS_nfsservctl,
#endif
#ifdef SYS_lookup_dcookie
    SYS_lookup_dcookie,
#endif
#ifdef SYS_iopl
    SYS_iopl, SYS_ioperm,
#endif
#ifdef SYS_modify_ldt
    SYS_modify_ldt,
#endif
#ifdef SYS_uselib
    SYS_uselib,
#endif
#ifdef SYS__sysctl
    SYS__sysctl,
#endif
};

// CLONE_NEWTIME shares its bit with the exit signal of clone, which therefore can't ask for it.
enum {
  NEW_NAMESPACES = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |
                   CLONE_NEWNET | 0x02000000 /* CLONE_NEWCGROUP */
};

enum { CAPACITY = 256 };

typedef struct {
  struct sock_filter code[CAPACITY];
  unsigned short count;
} program;

static void add(program *filter, unsigned short code, unsigned char yes, unsigned char no,
                unsigned value) {
  filter->code[filter->count++] = (struct sock_filter){code, yes, no, value};
}

enum {
  LOAD = BPF_LD | BPF_W | BPF_ABS,
  EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
  ANY_OF = BPF_JMP | BPF_JSET | BPF_K,
  GREATER = BPF_JMP | BPF_JGT | BPF_K,
  AND = BPF_ALU | BPF_AND | BPF_K,
  RETURN = BPF_RET | BPF_K
};

static const unsigned allow = SECCOMP_RET_ALLOW;
static const unsigned permission = SECCOMP_RET_ERRNO | EPERM;
static const unsigned unknown = SECCOMP_RET_ERRNO | ENOSYS;

// The low half of an argument; the kernel takes these arguments as 32-bit numbers. Both
// architectures are little-endian.
static unsigned argument(int index) {
  return offsetof(struct seccomp_data, args) + 8 * index;
}

#ifdef ARCHITECTURE
static void write_program(program *filter) {
  add(filter, LOAD, 0, 0, offsetof(struct seccomp_data, arch));
  add(filter, EQUAL, 1, 0, ARCHITECTURE);
  add(filter, RETURN, 0, 0, SECCOMP_RET_KILL_PROCESS);
  add(filter, LOAD, 0, 0, offsetof(struct seccomp_data, nr));
  add(filter, GREATER, 0, 1, NEWEST_CALL);
  add(filter, RETURN, 0, 0, unknown);
  add(filter, EQUAL, 0, 1, CALL_CLONE3);
  add(filter, RETURN, 0, 0, unknown);
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    add(filter, EQUAL, 0, 1, refused[i]);
    add(filter, RETURN, 0, 0, permission);
  }
  // clone: threads and processes, no namespaces.
  add(filter, EQUAL, 0, 4, SYS_clone);
  add(filter, LOAD, 0, 0, argument(0));
  add(filter, ANY_OF, 0, 1, NEW_NAMESPACES);
  add(filter, RETURN, 0, 0, permission);
  add(filter, RETURN, 0, 0, allow);
  // socketpair: connected Unix sockets alone. A datagram socket could be sent to any address.
  add(filter, EQUAL, 0, 8, SYS_socketpair);
  add(filter, LOAD, 0, 0, argument(0));
  add(filter, EQUAL, 0, 4, AF_UNIX);
  add(filter, LOAD, 0, 0, argument(1));
  add(filter, AND, 0, 0, 0xf);
  add(filter, EQUAL, 2, 0, SOCK_STREAM);
  add(filter, EQUAL, 1, 0, SOCK_SEQPACKET);
  add(filter, RETURN, 0, 0, permission);
  add(filter, RETURN, 0, 0, allow);
  // ioctl: no typing into terminals.
  add(filter, EQUAL, 0, 5, SYS_ioctl);
  add(filter, LOAD, 0, 0, argument(1));
  add(filter, EQUAL, 1, 0, TIOCSTI);
  add(filter, EQUAL, 0, 1, 0x541C /* TIOCLINUX */);
  add(filter, RETURN, 0, 0, permission);
  add(filter, RETURN, 0, 0, allow);
  add(filter, RETURN, 0, 0, allow);
}
#endif

int restrict_calls(int *stage) {
  *stage = CPROCESSES_STAGE_FILTER;
#ifdef ARCHITECTURE
  program filter = {.count = 0};
  _Static_assert(40 + 2 * sizeof refused / sizeof refused[0] < CAPACITY, "the filter fits");
  write_program(&filter);
  struct sock_fprog kernel = {filter.count, filter.code};
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &kernel, 0, 0)) return errno;
  return 0;
#else
  return ENOSYS;
#endif
}
