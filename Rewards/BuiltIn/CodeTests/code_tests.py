"""Runs a completion's Python code against its row's tests, each completion in a process of its own.

Rows as they are in MBPP (text, code, test_list, test_setup_code) and HumanEval (prompt, test,
entry_point). The score is the share of tests that pass, or 1 for all and 0 otherwise.

The worker answers requests; for each it forks a child, which runs the code. The child has limits of
its own, no standard streams, and proves its success with a secret that it is given: leaving early,
with whatever status, is no success. The worker makes itself undumpable, so that the child can
neither trace it nor open its files, and kills every process that the child leaves.
"""

import ctypes
import json
import os
import resource
import secrets
import select
import signal
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_DUMPABLE, PR_SET_CHILD_SUBREAPER = 4, 36


def code_of(text):
    """The code of a completion: its one fenced block, the last of several, or the whole text."""
    parts = text.split("```")
    if len(parts) >= 3:
        block = parts[-2] if len(parts) % 2 else parts[-1]
        first, _, rest = block.partition("\n")
        return rest if first.strip().lower() in ("python", "py", "python3", "") else block
    return text


def program_of(request):
    """The code and the tests of a request: a list of sources, each of which must run."""
    columns = request["columns"]
    completion = request["completion"]
    if isinstance(completion, list):
        completion = completion[-1]["content"]
    code = code_of(completion)
    if columns.get("entry_point"):
        entry = columns["entry_point"]
        prompt = columns.get("prompt") or request["prompt"]
        if isinstance(prompt, list):
            prompt = prompt[-1]["content"]
        # A completion goes on from the prompt, unless it defines the function itself.
        whole = code if f"def {entry}(" in code else prompt + code
        if whole is code:
            # The prompt's imports are part of the task.
            imports = [line for line in prompt.splitlines() if line.startswith(("import ", "from "))]
            whole = "\n".join(imports + [code])
        return whole, [columns["test"] + f"\n\ncheck({entry})\n"]
    tests = columns.get("test_list")
    if isinstance(tests, str):
        tests = [tests]
    if not tests:
        return None, None
    # MBPP's set-up uses what the solution defines.
    setup = columns.get("test_setup_code") or ""
    return code + "\n" + setup, list(tests)


def run_child(code, tests, secret, report, limits):
    """In the child: runs code and tests, and reports each test that passed with the secret."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    os.dup2(report, 3)
    os.closerange(4, 256)
    resource.setrlimit(resource.RLIMIT_DATA, (limits["memory"], limits["memory"]))
    seconds = max(1, int(limits["seconds"] + 1))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    sys.setrecursionlimit(10000)
    scratch = os.environ.get("TMPDIR", "/tmp")
    try:
        os.chdir(scratch)
    except OSError:
        pass
    names = {"__name__": "__main__"}
    write, encode = os.write, str.encode
    try:
        exec(compile(code, "<completion>", "exec"), names)
        for index, test in enumerate(tests):
            try:
                exec(compile(test, "<test>", "exec"), names)
                write(3, encode(f"{secret} {index}\n"))
            except Exception as error:
                write(3, encode(f"error {index} {type(error).__name__}: {error}"[:200].replace("\n", " ") + "\n"))
    except BaseException as error:
        write(3, encode(f"error -1 {type(error).__name__}: {error}"[:200].replace("\n", " ") + "\n"))
    os._exit(0)


def descendants():
    """Every process below this one, read from /proc where there is one."""
    parents = {}
    try:
        names = [name for name in os.listdir("/proc") if name.isdigit()]
    except OSError:
        return []
    for name in names:
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


def kill_all(child):
    """Kills the child and whatever it left behind, sessions of their own included."""
    for attempt in range(200):
        for process in {child, *descendants()} - {0}:
            try:
                os.kill(process, signal.SIGKILL)
            except OSError:
                pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001 * min(attempt, 20))


def run(code, tests, limits):
    """Runs code and tests in a child; the numbers of the tests that passed, and the first error."""
    secret = secrets.token_hex(16)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            run_child(code, tests, secret, writing, limits)
        finally:
            os._exit(1)
    os.close(writing)
    end = time.monotonic() + limits["seconds"]
    text, error = b"", None
    while True:
        left = end - time.monotonic()
        if left <= 0:
            error = f"took longer than {limits['seconds']} s"
            break
        if not select.select([reading], [], [], left)[0]:
            continue
        more = os.read(reading, 65536)
        if not more or len(text) > 1 << 20:
            break
        text += more
    os.close(reading)
    kill_all(child)
    passed = set()
    for line in text.decode("utf-8", "replace").splitlines():
        head, _, rest = line.partition(" ")
        if head == secret and rest.isdigit():
            passed.add(int(rest))
        elif head == "error" and error is None:
            error = rest.partition(" ")[2]
    return passed, error


def main():
    LIBC.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    parameters = json.loads(sys.stdin.readline())["hello"]["parameters"]
    limits = {
        "seconds": parameters.get("test_time_limit", 3),
        "memory": int(parameters.get("test_memory", 512)) << 20,
    }
    partial = parameters.get("partial", False)
    print(json.dumps({"grpo": 1, "name": "code_tests", "range": [0, 1], "reads": [
        "entry_point", "prompt", "test", "test_list", "test_setup_code"]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        code, tests = program_of(request)
        reply = {"id": request["id"]}
        if code is None:
            reply["unscorable"] = "the row has neither test_list nor entry_point and test"
        else:
            passed, error = run(code, tests, limits)
            share = len(passed) / len(tests)
            reply["score"] = share if partial else float(len(passed) == len(tests))
            reply["parts"] = {"passed": share}
            if error and len(passed) < len(tests):
                reply["log"] = {"error": error}
        print(json.dumps(reply), flush=True)


main()
