"""Holds a completion's Python code to its row's tests, which run in another process than the code.

Rows as they are in MBPP (text, code, test_list, test_setup_code) and HumanEval (prompt, test,
entry_point). The score is the share of tests that pass, or 1 for all and 0 otherwise.

  worker ── answers requests, times and ends the others
    ├─ zygote ── forks candidates; it never saw a request, so no candidate finds the tests in its memory
    │    └─ candidate ── runs the completion, answers calls of its functions
    └─ judge ── runs the tests; the functions under test are stand-ins that ask the candidate

What comes from a candidate is a tagged value (tagged_values.py): nothing that it builds or replaces
is ever run by the judge. Each candidate gets an empty folder of its own, and modules come from the
interpreter alone.
"""

# Not all are used here: what solutions and tests import most is loaded once, before any process is forked.
import ast
import bisect
import builtins
import collections
import contextlib
import copy
import datetime
import decimal
import fractions
import functools
import hashlib
import heapq
import itertools
import json
import math
import operator
import os
import random
import re
import select
import signal
import socket
import string
import symtable
import sys
import tempfile
import time
import typing

SCRATCH = os.environ.get("TMPDIR", "/tmp")


# --- Rows


def code_of(text):
    """The code of a completion: its one fenced block, the last of several, or the whole text."""
    parts = text.split("```")
    if len(parts) >= 3:
        block = parts[-2] if len(parts) % 2 else parts[-1]
        first, _, rest = block.partition("\n")
        return rest if first.strip().lower() in ("python", "py", "python3", "") else block
    return text


def text_of(value):
    """A prompt or completion, the last message of a conversation."""
    return value[-1]["content"] if isinstance(value, list) else value


class Task:
    """A row's tests, and the program that a completion makes with its prompt."""

    def __init__(self, request):
        columns = request["columns"]
        self.entry = columns.get("entry_point") or None
        self.prompt = text_of(columns.get("prompt") or request["prompt"]) if self.entry else ""
        self.setup = columns.get("test_setup_code") or ""
        if self.entry:
            test = columns.get("test")
            self.tests = [f"{test}\n\ncheck({self.entry})\n"] if isinstance(test, str) else []
        else:
            tests = columns.get("test_list") or []
            self.tests = [tests] if isinstance(tests, str) else list(tests)
        given = columns.get("canonical_solution") if self.entry else columns.get("code")
        self.reference = self.program(given) if isinstance(given, str) else None

    def program(self, code):
        if not self.entry:
            return code
        # A completion goes on from the prompt, unless it defines the function itself.
        if f"def {self.entry}(" not in code:
            return self.prompt + code
        imports = [line for line in self.prompt.splitlines() if line.startswith(("import ", "from "))]
        return "\n".join(imports + [code])

    @property
    def key(self):
        return hashlib.sha256(repr((self.prompt, self.setup, self.tests, self.reference)).encode()).digest()

    def names_under_test(self, defined):
        """The names that tests use and neither they, the prompt nor Python define: the candidate's.

        A name of Python's own is the candidate's only where the reference solution defines it, so
        that no completion can replace what the tests reckon with.
        """
        used, bound = set(), set(defined)
        for source in [self.setup, *self.tests]:
            try:
                tables = [symtable.symtable(source, "<test>", "exec")]
            except SyntaxError:
                continue
            bound |= {symbol.get_name() for symbol in tables[0].get_symbols() if symbol.is_assigned() or symbol.is_imported()}
            while tables:
                table = tables.pop()
                tables += table.get_children()
                is_top = table.get_type() == "module"
                used |= {
                    symbol.get_name() for symbol in table.get_symbols()
                    if symbol.is_referenced() and (is_top or symbol.is_global())
                }
        own = used - bound
        names = {name for name in own if not hasattr(builtins, name)}
        names |= own & definitions(self.reference)
        return sorted(names | ({self.entry} if self.entry else set()))


def statements(source):
    try:
        return ast.parse(source or "").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []


def definitions(source):
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    return {statement.name for statement in statements(source) if isinstance(statement, kinds)}


# --- The candidate


def be_zygote(commands):
    """Forks a candidate for every command, with the descriptor that comes along."""
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    for stream in (1, 2):
        os.dup2(0, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    worker = os.getppid()
    while True:
        data, descriptors, _, _ = socket.recv_fds(commands, 65536, 1)
        if not data:
            os._exit(0)
        command = json.loads(data)
        if os.fork() == 0:
            try:
                be_candidate(descriptors[0], [worker, os.getppid(), command["judge"]], command)
            finally:
                os._exit(1)
        os.close(descriptors[0])


def be_candidate(descriptor, protected, command):
    """In a process of its own: runs the code that the channel brings, then answers calls."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()
    channel = socket.socket(fileno=close_streams(descriptor))
    os.chdir(command["scratch"])
    for name in ("TMPDIR", "HOME"):
        os.environ[name] = command["scratch"]
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
    limit_resources(command["limits"])
    if not forbid_touching([process for process in protected if process > 0]) and IS_ISOLATED:
        os._exit(1)
    sys.setrecursionlimit(10000)
    random.seed(0)
    task = receive_frame(channel)
    names = {"__name__": "__main__"}
    try:
        exec(compile(task["code"], "<completion>", "exec"), names)
    except BaseException as error:
        send_frame(channel, {"failed": described(error)})
        os._exit(0)
    if "tests" in task:
        send_frame(channel, run_together(task["tests"], names))
        os._exit(0)
    send_frame(channel, {"functions": [name for name in task["names"] if callable(names.get(name))]})
    while (call := receive_frame(channel)) is not None:
        answer_call(channel, names, call)
    os._exit(0)


def answer_call(channel, names, call):
    """Calls a function and sends what it returned or raised, and what it did to its arguments."""
    decoder = Decoder()
    arguments = decoder.decode(call["arguments"])
    keywords = decoder.decode(call["keywords"])
    shared = list(decoder.known)
    answer = {}
    try:
        result = names[call["name"]](*arguments, **keywords)
        encoder = Encoder(shared, is_exact=False)
        answer["changed"] = [encoder.contents(value) for value in shared]
        answer["value"] = encoder.encode(result)
        return send_frame(channel, answer)
    except (CannotBeCarried, RecursionError) as error:
        if isinstance(error, CannotBeCarried):
            return send_frame(channel, {"uncarried": str(error)})
        answer = {"raised": "RecursionError", "message": str(error)}
    except BaseException as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"]
        answer = {"raised": (kinds or ["Exception"])[0], "message": str(error)[:1000]}
    try:
        encoder = Encoder(shared, is_exact=False)
        answer["changed"] = [encoder.contents(value) for value in shared]
        send_frame(channel, answer)
    except (CannotBeCarried, RecursionError) as error:
        send_frame(channel, {"uncarried": str(error)})


def run_together(tests, names):
    """The old way, for rows that ask for it: the tests in the candidate's own process."""
    passed, first_error = [], None
    for index, test in enumerate(tests):
        try:
            exec(compile(test, "<test>", "exec"), names)
            passed.append(index)
        except BaseException as error:
            first_error = first_error or described(error)
    return {"passed": passed, "error": first_error}


def described(error):
    """An error on one line, without addresses, which differ from run to run."""
    text = str(error) if isinstance(error, CandidateError) else f"{type(error).__name__}: {error}"
    return re.sub(r"\b0x[0-9a-fA-F]+", "0x…", text)[:200].replace("\n", " ")


# --- The judge


class CandidateError(Exception):
    """What a candidate raised that isn't an exception of Python's own."""


class Candidate:
    """The judge's end of the channel."""

    def __init__(self, channel):
        self.channel = channel

    def load(self, code, names):
        """Sends the code; the names that are functions in it."""
        send_frame(self.channel, {"code": code, "names": names})
        loaded = self.receive()
        if "failed" in loaded:
            raise CandidateError(str(loaded["failed"])[:200])
        functions = loaded.get("functions")
        return [name for name in names if isinstance(functions, list) and name in functions]

    def receive(self):
        message = receive_frame(self.channel)
        if message is None:
            raise CandidateError("the completion's process ended")
        return message

    def stand_in(self, name):
        def function(*arguments, **keywords):
            return self.call(name, arguments, keywords)

        function.__name__ = function.__qualname__ = name
        return function

    def call(self, name, arguments, keywords):
        encoder = Encoder()
        tagged, named = encoder.encode(arguments), encoder.encode(keywords)
        send_frame(self.channel, {"name": name, "arguments": tagged, "keywords": named})
        answer = self.receive()
        if "uncarried" in answer:
            raise CannotBeCarried(str(answer["uncarried"])[:200])
        decoder = Decoder(encoder.known)
        changed = answer.get("changed")
        if not isinstance(changed, list) or len(changed) != len(encoder.known):
            raise BadFrame("an answer without what became of its arguments")
        for value, contents in zip(encoder.known, changed):
            decoder.fill(value, contents)
        if "raised" in answer:
            raise exception_named(answer["raised"], answer.get("message"))
        if "value" not in answer:
            raise BadFrame("an answer without a value")
        return decoder.decode(answer["value"])


def exception_named(name, message):
    """An exception of Python's own by its name."""
    kind = getattr(builtins, name, None) if isinstance(name, str) else None
    is_known = isinstance(kind, type) and issubclass(kind, Exception)
    # These would end a loop of the tests as if it were done.
    if not is_known or issubclass(kind, (StopIteration, StopAsyncIteration)):
        return CandidateError(f"{str(name)[:100]}: {str(message)[:100]}")
    try:
        return kind(str(message))
    except TypeError:
        return kind.__new__(kind)


def be_judge(channel, report, task, code, limits):
    """In a process of its own: runs the tests, and reports each with a line."""
    os.setsid()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    candidate = Candidate(channel)
    limit_resources(limits)
    random.seed(0)

    def tell(**outcome):
        os.write(report, (json.dumps(outcome) + "\n").encode())

    names = {"__name__": "__main__"}
    try:
        define_context(task, names)
        wanted = task.names_under_test(set(names) - {task.entry})
        for name in candidate.load(code, wanted):
            names[name] = candidate.stand_in(name)
        exec(compile(task.setup, "<test_setup_code>", "exec"), names)
    except BaseException as error:
        tell(index=-1, error=described(error))
        return
    for index, test in enumerate(task.tests):
        try:
            exec(compile(test, "<test>", "exec"), names)
            tell(index=index, error=None)
        except BaseException as error:
            tell(index=index, error=described(error))


def define_context(task, names):
    """What the row itself brings: the prompt's imports and helpers, the reference's imports."""
    imports = (ast.Import, ast.ImportFrom)
    lines = [s for s in statements(task.reference) if isinstance(s, imports)]
    for statement in lines + statements(task.prompt):
        try:
            exec(compile(ast.Module([statement], []), "<prompt>", "exec"), names)
        except Exception:
            pass
    names.pop(task.entry, None)


# --- The worker


class Worker:
    def __init__(self, parameters):
        self.limits = {
            "seconds": parameters.get("test_time_limit", 3),
            "memory": int(parameters.get("test_memory", 512)) << 20,
        }
        self.partial = parameters.get("partial", False)
        self.same_process = parameters.get("same_process", False)
        # By row: whether its own reference solution passes in one process with the tests alone.
        self.needs_one_process = {}
        ours, theirs = socket.socketpair()
        self.zygote = os.fork()
        if self.zygote == 0:
            ours.close()
            try:
                be_zygote(theirs)
            finally:
                os._exit(1)
        theirs.close()
        self.commands = ours

    def run(self, task, code):
        """Which tests a program passes, and the first error."""
        ours, theirs = socket.socketpair()
        reading, writing = os.pipe()
        judge = os.fork()
        if judge == 0:
            try:
                for descriptor in (0, 1, 2):
                    os.dup2(os.open(os.devnull, os.O_RDWR), descriptor)
                theirs.close()
                self.commands.close()
                be_judge(ours, writing, task, code, self.limits)
            finally:
                os._exit(0)
        ours.close()
        os.close(writing)
        with self.scratch() as scratch:
            self.start_candidate(theirs, judge, scratch)
            text, is_late = self.read_until_end(reading)
            kill_all(self.zygote)
        os.close(reading)
        outcomes = [json.loads(line) for line in text.rpartition(b"\n")[0].splitlines()]
        passed = {outcome["index"] for outcome in outcomes if outcome["error"] is None}
        errors = [outcome["error"] for outcome in outcomes if outcome["error"] is not None]
        if is_late:
            errors.insert(0, f"took longer than {self.limits['seconds']} s")
        if not errors and len(passed) < len(task.tests):
            errors = ["the tests ended their process"]
        return passed, (errors or [None])[0], is_late

    def run_together(self, task, code):
        """The same with the tests in the candidate's process."""
        ours, theirs = socket.socketpair()
        with self.scratch() as scratch:
            self.start_candidate(theirs, 0, scratch)
            ours.settimeout(self.limits["seconds"])
            try:
                code = code + "\n" + task.setup
                send_frame(ours, {"code": code, "tests": task.tests})
                outcome = receive_frame(ours) or {"failed": "the process ended"}
            except (OSError, BadFrame, CannotBeCarried) as error:
                outcome = {"failed": described(error)}
            ours.close()
            kill_all(self.zygote)
        passed = outcome.get("passed")
        passed = {i for i in range(len(task.tests)) if isinstance(passed, list) and i in passed}
        return passed, outcome.get("failed") or outcome.get("error")

    def start_candidate(self, channel, judge, scratch):
        command = {"judge": judge, "scratch": scratch, "limits": self.limits}
        socket.send_fds(self.commands, [json.dumps(command).encode()], [channel.fileno()])
        channel.close()

    def read_until_end(self, reading):
        """What the judge reports until it ends, and whether it took too long."""
        end = time.monotonic() + self.limits["seconds"]
        text = b""
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return text, True
            if select.select([reading], [], [], left)[0]:
                more = os.read(reading, 65536)
                if not more or len(text) > 1 << 22:
                    return text, False
                text += more

    @contextlib.contextmanager
    def scratch(self):
        """A fresh empty folder; afterwards all of the scratch is emptied where it is ours alone."""
        if IS_ISOLATED:
            # A name that is always the same, since it may come up in messages.
            folder = os.path.join(SCRATCH, "candidate")
            os.mkdir(folder)
        else:
            folder = tempfile.mkdtemp(dir=SCRATCH)
        try:
            yield folder
        finally:
            empty_folder(SCRATCH if IS_ISOLATED else folder)
            if not IS_ISOLATED:
                os.rmdir(folder)

    def needs(self, task):
        """Whether the row can't be judged from outside: its own reference shows it, nothing else."""
        if task.reference is None:
            return False
        if task.key not in self.needs_one_process:
            everything = set(range(len(task.tests)))
            passed, _, is_late = self.run(task, task.reference)
            self.needs_one_process[task.key] = (
                passed != everything and not is_late
                and self.run_together(task, task.reference)[0] == everything
            )
        return self.needs_one_process[task.key]

    def reply(self, request):
        task = Task(request)
        reply = {"id": request["id"]}
        if not task.tests or not all(isinstance(test, str) for test in [task.setup, *task.tests]):
            reply["unscorable"] = "the row has neither test_list nor entry_point and test, or they are not texts"
            return reply
        code = task.program(code_of(text_of(request["completion"])))
        passed, error, _ = self.run(task, code)
        if len(passed) < len(task.tests) and self.needs(task):
            if not self.same_process:
                reply["unscorable"] = (
                    "the row's tests need objects of the solution's own, which can't be judged from another "
                    "process (same_process: true judges such rows in one, where a completion can forge its score)"
                )
                return reply
            passed, error = self.run_together(task, code)
        share = len(passed) / len(task.tests)
        reply["score"] = share if self.partial else float(len(passed) == len(task.tests))
        reply["parts"] = {"passed": share}
        if error and len(passed) < len(task.tests):
            reply["log"] = {"error": error}
        return reply


def main():
    make_undumpable()
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    parameters = json.loads(sys.stdin.readline())["hello"]["parameters"]
    worker = Worker(parameters)
    print(json.dumps({"grpo": 1, "name": "code_tests", "range": [0, 1], "reads": [
        "canonical_solution", "code", "entry_point", "prompt", "test", "test_list",
        "test_setup_code"]}), flush=True)
    for line in sys.stdin:
        print(json.dumps(worker.reply(json.loads(line))), flush=True)


main()
