"""What keeps a candidate's process from the others, beyond what the worker's own sandbox does.

All of them run as one user, and one user's processes may signal and limit each other. A filter of
system calls takes that from the candidate, so that it can neither end nor slow its judge, the worker
or a later candidate; its files go with it, and so does every process that it leaves.
"""

import ctypes
import os
import platform
import resource
import signal
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 4, 22, 36, 38
IS_ISOLATED = os.environ.get("GRPO_SANDBOX") == "isolated"

# Numbers of system calls, and the architecture's own.
CALLS = {
    "x86_64": {
        "architecture": 0xC000003E, "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129,
        "rt_tgsigqueueinfo": 297, "prlimit64": 302, "sched_setaffinity": 203, "sched_setparam": 142,
        "sched_setscheduler": 144, "sched_setattr": 314, "setpriority": 141, "ioprio_set": 251,
        "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "shmget": 29, "msgget": 68,
        "semget": 64, "mq_open": 240, "fcntl": 72, "ioctl": 16, "kcmp": 312, "setpgid": 109,
    },
    "aarch64": {
        "architecture": 0xC00000B7, "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138,
        "rt_tgsigqueueinfo": 240, "prlimit64": 261, "sched_setaffinity": 122, "sched_setparam": 118,
        "sched_setscheduler": 119, "sched_setattr": 274, "setpriority": 140, "ioprio_set": 30,
        "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271, "shmget": 194, "msgget": 186,
        "semget": 190, "mq_open": 180, "fcntl": 25, "ioctl": 29, "kcmp": 272, "setpgid": 154,
    },
}
NEW_CALLS = {"pidfd_send_signal": 424, "pidfd_open": 434, "pidfd_getfd": 438, "process_madvise": 440}
REFUSED = [
    "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_getfd", "process_madvise",
    "setpriority", "ioprio_set", "ptrace", "process_vm_readv", "process_vm_writev", "kcmp",
    # These outlive the process that makes them.
    "shmget", "msgget", "semget", "mq_open",
]
ON_ITSELF_ALONE = [
    "prlimit64", "sched_setaffinity", "sched_setparam", "sched_setscheduler", "sched_setattr",
]
# Whom a descriptor's signals go to: F_SETOWN, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP.
SET_OWNER = {"fcntl": [8, 15], "ioctl": [0x8901, 0x8902]}


class Filter(ctypes.Structure):
    _fields_ = [("count", ctypes.c_ushort), ("code", ctypes.c_void_p)]


def filter_program(calls, protected):
    """The filter in classic BPF: instructions (code, jump if so, jump if not, value)."""
    load, equal, greater, give = 0x20, 0x15, 0x25, 0x06
    allow, refuse, kill = 0x7FFF0000, 0x00050000 | 1, 0x80000000
    program = [
        (load, 0, 0, 4), (equal, 1, 0, calls["architecture"]), (give, 0, 0, kill), (load, 0, 0, 0),
        (greater, 0, 1, 0x3FFFFFFF), (give, 0, 0, refuse),
    ]
    for name in REFUSED:
        program += [(equal, 0, 1, calls[name]), (give, 0, 0, refuse)]
    for name in ON_ITSELF_ALONE:
        program += [
            (equal, 0, 4, calls[name]), (load, 0, 0, 16), (equal, 0, 1, 0), (give, 0, 0, allow),
            (give, 0, 0, refuse),
        ]

    def refuse_values(name, arguments, values):
        checks = []
        for argument in arguments:
            checks.append((load, 0, 0, 16 + 8 * argument))
            for value in values:
                checks += [(equal, 0, 1, value & 0xFFFFFFFF), (give, 0, 0, refuse)]
        checks.append((give, 0, 0, allow))
        return [(equal, 0, len(checks), calls[name]), *checks]

    # Every process but its own kind, as process, thread or group; -1 is everybody.
    others = [sign * process for process in protected for sign in (1, -1)] + [-1]
    program += refuse_values("kill", [0], others)
    program += refuse_values("tkill", [0], others)
    program += refuse_values("tgkill", [0, 1], others)
    program += refuse_values("pidfd_open", [0], others)
    program += refuse_values("setpgid", [0, 1], protected)
    for name, values in SET_OWNER.items():
        program += refuse_values(name, [1], values)
    return [*program, (give, 0, 0, allow)]


def forbid_touching(protected):
    """Takes from this process, for good, what could touch the protected ones; false where it can't."""
    calls = CALLS.get(platform.machine())
    if calls is None:
        return False
    program = filter_program({**calls, **NEW_CALLS}, protected)
    data = b"".join(
        code.to_bytes(2, "little") + bytes([yes, no]) + value.to_bytes(4, "little")
        for code, yes, no, value in program
    )
    code = ctypes.create_string_buffer(data, len(data))
    kernel = Filter(len(program), ctypes.cast(code, ctypes.c_void_p))
    return (
        LIBC.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        and LIBC.prctl(PR_SET_SECCOMP, 2, ctypes.byref(kernel), 0, 0) == 0
    )


def make_undumpable():
    """Nobody of the same user may trace this process or open its files."""
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def close_streams(keep):
    """Leaves no descriptor but one, as number 3, and the null device for the standard streams."""
    keep = os.dup2(keep, 3, inheritable=False) if keep != 3 else 3
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.closerange(4, 1024)
    return keep


def limit_resources(limits):
    resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
    seconds = max(1, int(limits["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    if IS_ISOLATED:
        # The user of the sandbox has no other processes than this sandbox's.
        resource.setrlimit(resource.RLIMIT_NPROC, (48, 48))


def descendants():
    """Every process below this one, read from /proc."""
    parents = {}
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                fields = file.read().rpartition(")")[2].split()
            parents.setdefault(int(fields[1]), []).append(int(name))
        except (OSError, ValueError, IndexError):
            pass
    found, queue = [], [os.getpid()]
    while queue:
        below = parents.get(queue.pop(), [])
        found += below
        queue += below
    return found


def kill_all(spared):
    """Kills every descendant but one, sessions of their own included; they are stopped first."""
    for attempt in range(1000):
        others = [process for process in descendants() if process != spared]
        for word in (signal.SIGSTOP, signal.SIGKILL):
            for process in others:
                try:
                    os.kill(process, word)
                except OSError:
                    pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        if not others:
            return
        time.sleep(0.0005 * min(attempt, 20))


def empty_folder(folder):
    """Removes everything in a folder, whatever its depth and permissions.

    What lies in an inner folder is moved up before that goes, so that no path grows long.
    """
    moved = 0
    names = os.listdir(folder)
    while names:
        path = os.path.join(folder, names.pop())
        try:
            os.unlink(path)
            continue
        except IsADirectoryError:
            pass
        os.chmod(path, 0o700)
        for inner in os.listdir(path):
            inner_path = os.path.join(path, inner)
            try:
                os.unlink(inner_path)
            except IsADirectoryError:
                os.chmod(inner_path, 0o700)
                while os.path.lexists(os.path.join(folder, f"moved-{moved}")):
                    moved += 1
                os.rename(inner_path, os.path.join(folder, f"moved-{moved}"))
                names.append(f"moved-{moved}")
        os.rmdir(path)
