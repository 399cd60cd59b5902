"""Runs a Python reward function, unchanged, as a grpo reward plugin.

    python3 -c SOURCE SCRIPT [FUNCTION]

Two kinds of functions are known, told apart by their parameters:

  TRL    def f(prompts, completions, **columns) -> list[float | None]    (or async def)
  verl   def compute_score(data_source, solution_str, ground_truth, extra_info=None) -> float | dict

Without FUNCTION the script's compute_score is run, or the one public function that it defines.
"""

import asyncio
import importlib.util
import inspect
import json
import math
import os
import sys
import traceback

# Replies go out through a descriptor of their own, and what the function prints goes to standard
# error: a stray print() must not be taken for a reply.
replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)


def fail(sentence):
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)


def load(path):
    """Imports the script under its own name, with its folder first in the search path."""
    path = os.path.abspath(path)
    sys.path[0] = os.path.dirname(path)
    name = os.path.splitext(os.path.basename(path))[0]
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def find(module, name):
    if name:
        function = getattr(module, name, None)
        if not callable(function):
            own = [key for key in public_functions(module)]
            fail(f"{module.__file__} has no function {name!r}; it has: {', '.join(own) or 'none'}")
        return function
    if callable(getattr(module, "compute_score", None)):
        return module.compute_score
    own = public_functions(module)
    if len(own) == 1:
        return getattr(module, own[0])
    fail(
        f"{module.__file__} defines {len(own)} public functions ({', '.join(own)}): "
        f"say which is the reward with {os.path.basename(module.__file__)}:FUNCTION"
    )


def public_functions(module):
    return [
        key
        for key, value in vars(module).items()
        if not key.startswith("_")
        and inspect.isfunction(value)
        and value.__module__ == module.__name__
    ]


def accepted(function):
    """The names of the function's parameters, and whether it takes any other as well."""
    parameters = inspect.signature(function).parameters.values()
    names = [p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    return names, any(p.kind == p.VAR_KEYWORD for p in parameters)


def number(value):
    """A float of whatever acts as one (numpy and torch scalars too); None where it is no number."""
    if isinstance(value, (str, bytes)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def plain(value):
    """A value that JSON can hold."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    converted = number(value)
    if converted is not None:
        return converted if math.isfinite(converted) else str(converted)
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(member) for member in value]
    return str(value)


class TrainerState:
    """What is known of the trainer here: nothing but a step count of the calls."""

    def __init__(self):
        self.global_step = 0


class TRLFunction:
    """One call for a batch, as TRL's trainer makes it."""

    batch = 256

    def __init__(self, function, parameters):
        self.function = function
        self.parameters = parameters
        self.names, self.takes_any = accepted(function)
        self.is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
            getattr(function, "__call__", None)
        )
        self.loop = asyncio.new_event_loop() if self.is_async else None
        self.state = TrainerState()

    def score(self, batch):
        extras, metrics = {}, {}
        arguments = dict(self.parameters)
        columns = {}
        for request in batch:
            for column in request["columns"]:
                columns.setdefault(column, None)
        for column in columns:
            arguments[column] = [request["columns"].get(column) for request in batch]
        arguments.update(
            prompts=[request["prompt"] for request in batch],
            completions=[request["completion"] for request in batch],
            completion_ids=[request["completion_ids"] for request in batch],
            trainer_state=self.state,
            log_extra=lambda column, values: extras.__setitem__(column, list(values)),
            log_metric=lambda name, value: metrics.__setitem__(name, value),
        )
        if not self.takes_any:
            arguments = {name: arguments[name] for name in self.names if name in arguments}
        result = self.function(**arguments)
        if inspect.isawaitable(result):
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
            result = self.loop.run_until_complete(result)
        scores = list(result)
        if len(scores) != len(batch):
            raise ValueError(
                f"the function returned {len(scores)} scores for {len(batch)} completions"
            )
        self.state.global_step += 1
        for index, (request, score) in enumerate(zip(batch, scores)):
            log = {
                column: plain(values[index])
                for column, values in extras.items()
                if index < len(values)
            }
            if metrics:
                log["metrics"] = plain(metrics)
            yield reply(request, score, {}, log)


class VerlFunction:
    """One call for a completion, as verl's reward manager makes it."""

    batch = 64

    def __init__(self, function, parameters):
        self.function = function
        self.parameters = parameters
        self.names, self.takes_any = accepted(function)
        self.loop = None

    def score(self, batch):
        for request in batch:
            try:
                yield self.score_one(request)
            except Exception:
                yield {"id": request["id"], "error": last_line(traceback.format_exc())}

    def score_one(self, request):
        columns = request["columns"]
        model = columns.get("reward_model")
        truth = columns.get("ground_truth")
        if truth is None and isinstance(model, dict):
            truth = model.get("ground_truth")
        completion = request["completion"]
        if isinstance(completion, list):
            completion = completion[-1]["content"]
        arguments = dict(self.parameters)
        arguments.update(
            data_source=columns.get("data_source"),
            solution_str=completion,
            ground_truth=truth,
            extra_info=columns.get("extra_info"),
        )
        if not self.takes_any:
            arguments = {name: arguments[name] for name in self.names if name in arguments}
        result = self.function(**arguments)
        if inspect.isawaitable(result):
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
            result = self.loop.run_until_complete(result)
        parts, log = {}, {}
        if isinstance(result, dict):
            if "score" not in result:
                raise ValueError(f"compute_score returned a dict without 'score': {result}")
            for key, value in result.items():
                if key == "score":
                    continue
                converted = number(value)
                if converted is not None and math.isfinite(converted):
                    parts[str(key)] = converted
                else:
                    log[str(key)] = plain(value)
            result = result["score"]
        return reply(request, result, parts, log)


def reply(request, score, parts, log):
    answer = {"id": request["id"]}
    if score is None:
        return {**answer, "unscorable": "the function returned None"}
    value = number(score)
    if value is None:
        return {**answer, "error": f"the function returned {score!r}, which is no number"}
    if math.isnan(value):
        return {**answer, "unscorable": "the function returned NaN"}
    if math.isinf(value):
        return {**answer, "error": "the function returned an infinite score"}
    answer["score"] = value
    if parts:
        answer["parts"] = parts
    if log:
        answer["log"] = log
    return answer


def last_line(text):
    print(text, file=sys.stderr, flush=True)
    return text.strip().splitlines()[-1]


def answer(scorer, batch):
    """Replies for a batch. Where the call for all fails, each is called alone, to find the culprit."""
    try:
        return list(scorer.score(batch))
    except Exception:
        text = last_line(traceback.format_exc())
        if len(batch) == 1:
            return [{"id": batch[0]["id"], "error": text}]
        return [one for request in batch for one in answer(scorer, [request])]


def main():
    hello = json.loads(requests.readline() or "{}").get("hello")
    if hello is None:
        fail("expected grpo's hello on standard input")
    script, name = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""
    sys.argv = [script]
    module = load(script)
    function = find(module, name)
    names, _ = accepted(function)
    is_verl = "solution_str" in names
    scorer = (VerlFunction if is_verl else TRLFunction)(function, hello.get("parameters") or {})
    name = getattr(function, "__name__", type(function).__name__)
    greeting = {"grpo": 1, "name": name, "batch": scorer.batch}
    print(json.dumps(greeting), file=replies, flush=True)
    for line in requests:
        if not line.strip():
            continue
        batch = json.loads(line)
        if isinstance(batch, dict):
            batch = [batch]
        lines = [json.dumps(one) + "\n" for one in answer(scorer, batch)]
        sys.stdout.flush()
        sys.stderr.flush()
        replies.write("".join(lines))
        replies.flush()


main()
