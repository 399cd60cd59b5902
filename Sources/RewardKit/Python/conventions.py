"""How each kind of reward function is called, and what becomes of its answer.

  TRL        def f(prompts, completions, **columns) -> list[float | None]        once per step
  verl       def compute_score(data_source, solution_str, ground_truth, extra_info=None) -> float | dict
             def compute_score_batched(data_sources, solution_strs, ground_truths, extra_infos)    once per step
  verifiers  def f(completion, answer, **kwargs) -> float, by name: prompt, completion, answer, state, task, info
             def f(completions, states, **kwargs) -> list[float]                 once per group

Each may be async. They are told apart by their parameters.
"""

import asyncio
import inspect
import math
import sys
from collections.abc import Mapping, Set

from grpo_functions import display_name, fail
from grpo_replies import failures, number, plain, reply, shown


class Callee:
    """A reward function, and what its signature says."""

    def __init__(self, function, label, parameters):
        self.function = function
        self.label = label
        self.parameters = parameters
        try:
            found = inspect.signature(function).parameters.values()
        except (TypeError, ValueError):
            fail(f"{label} has no signature that Python can read: wrap it in a def")
        named = [p for p in found if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
        self.names = [p.name for p in named]
        self.takes_any = any(p.kind is p.VAR_KEYWORD for p in found)
        self.required = [p.name for p in named if p.default is p.empty]
        self.by_place = [p.name for p in named if p.kind is p.POSITIONAL_ONLY]
        self.loop = None

    def __call__(self, arguments):
        """The answer to what is offered, as far as the function takes it; settings of the user first."""
        arguments = {**arguments, **self.parameters}
        if not self.takes_any:
            arguments = {name: arguments[name] for name in self.names if name in arguments}
        return self.function(**arguments)

    def awaited(self, answers):
        """The answers, those that are to be awaited at one time, an exception in the place of its answer."""
        places = [place for place, answer in enumerate(answers) if inspect.isawaitable(answer)]
        if not places:
            return answers

        async def outcome(answer):
            # What ends the loop (KeyboardInterrupt, SystemExit) would end the others' answers too.
            try:
                return await answer
            except BaseException as error:
                return error

        async def gathered():
            return await asyncio.gather(*(outcome(answers[place]) for place in places))

        self.loop = self.loop or asyncio.new_event_loop()
        for place, answer in zip(places, self.loop.run_until_complete(gathered())):
            answers[place] = answer
        return answers


class Convention:
    """One kind of reward function: when it is called, with what, and how its answer is read."""

    scope = "step"
    # The parameters that grpo hands over; any other is a column of the data by its name.
    hands = ()
    # Parameters that are columns of another name, and the columns in their order of precedence.
    renamed = {}
    takes_columns = True

    def __init__(self, callee):
        self.callee = callee

    def greeting(self):
        greeting = {"grpo": 1, "name": display_name(self.callee.function), "scope": self.scope}
        if self.scope == "completion":
            greeting["batch"] = 64
        reads = self.reads()
        return greeting if reads is None else {**greeting, "reads": reads}

    def reads(self):
        """The columns that can matter; None for all."""
        return None if self.callee.takes_any else [name for name in self.callee.names if name not in self.hands]

    def faults(self, columns, data):
        """What keeps the function from being called, a sentence each; columns is None where none are known, and
        data is what they are of."""
        callee, label = self.callee, self.callee.label
        if callee.by_place:
            yield f"{label} takes {quoted(callee.by_place)} by place alone (/), and rewards are called by name"
        unknown = [key for key in callee.parameters if key not in callee.names]
        if unknown and not callee.takes_any:
            known = ", ".join(callee.names)
            yield f'{label} has no parameter {quoted(unknown)}, which "parameters" sets: it has {known}'
        needed = [name for name in callee.required if name not in self.hands and self.needs(name)]
        strange = [] if self.takes_columns else [name for name in needed if name not in self.renamed]
        if strange:
            yield (
                f"{label} needs {quoted(strange)}, which such a function is not handed (it is handed "
                f"{', '.join([*self.hands, *self.renamed])}): set it with parameters: {{{strange[0]}: …}}"
            )
        if columns is None:
            return
        sources = {name: self.renamed.get(name, [name]) for name in needed if name not in strange}
        lacking = {name: found for name, found in sources.items() if not {*found} & {*columns}}
        if lacking:
            names = [" or ".join(repr(MEMBERS.get(column, column)) for column in found) for found in lacking.values()]
            it_has = f"it has {', '.join(columns)}" if columns else "it has none"
            example = ", ".join(f'{found[0]}: "…"' for found in lacking.values())
            yield (
                f"{label} needs the column{'s' if len(names) > 1 else ''} {', '.join(names)}, which {data} "
                f"lacks ({it_has}): name the data's own with columns: {{{example}}}"
            )

    def needs(self, name):
        """Whether the function cannot be called without a parameter that no setting gives."""
        return name in self.callee.required and name not in self.callee.parameters

    def replies(self, requests):
        """A reply for each request of a line; a call that fails, fails for all of its requests."""
        try:
            return self.judged(requests)
        except BaseException as error:  # a KeyboardInterrupt that the function raises is its own
            return failures(requests, error)


class Together(Convention):
    """Functions that take lists, an element for each completion, and return one."""

    def judged(self, requests):
        return self.scored(requests, self.arguments(requests))

    def scored(self, requests, arguments):
        answer = self.callee.awaited([self.callee(arguments)])[0]
        if isinstance(answer, BaseException):
            raise answer
        scores = self.listed(answer)
        if len(scores) != len(requests):
            raise ValueError(
                f"{display_name(self.callee.function)} returned {len(scores)} scores, but {len(requests)} "
                f"were expected (one for each completion, in their order)"
            )
        return [reply(request, score) for request, score in zip(requests, scores)]


    def listed(self, answer):
        """The scores of an answer, in their order: a dict, a set or a text can be gone through, and is none."""
        name = display_name(self.callee.function)
        if isinstance(answer, (str, bytes, bytearray, Mapping, Set)) or not is_iterable(answer):
            raise TypeError(f"{name} returned {shown(answer)}, and not a list with a score for each completion")
        return list(answer)


class TRL(Together):
    hands = ("prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric")

    def arguments(self, requests):
        return {
            **columns_of(requests),
            "prompts": [request["prompt"] for request in requests],
            "completions": [request["completion"] for request in requests],
            "completion_ids": [token_ids(request) for request in requests],
            "trainer_state": TrainerState(requests[0].get("trainer_state")),
        }

    def judged(self, requests):
        columns, metrics = {}, {}

        def log_extra(column, values):
            columns.setdefault(str(column), []).extend(values)

        def log_metric(name, value):
            measured = number(value)
            if measured is None:
                raise TypeError(f"log_metric: {name!r} is {shown(value)}, which is not a number")
            metrics.setdefault(str(name), []).append(measured)

        loggers = {"log_extra": log_extra, "log_metric": log_metric}
        replies = self.scored(requests, {**self.arguments(requests), **loggers})
        for name, values in columns.items():
            if len(values) != len(requests):
                print(f"log_extra: {name!r} has {len(values)} values, not {len(requests)}", file=sys.stderr)
            for one, value in zip(replies, values):
                one.setdefault("log", {})[name] = plain(value)
        means = {name: sum(values) / len(values) for name, values in metrics.items()}
        finite = {name: mean for name, mean in means.items() if math.isfinite(mean)}
        if finite:
            replies[0]["metrics"] = finite
        return replies


class VerlBatched(Together):
    hands = ("data_sources", "solution_strs", "extra_infos")
    renamed = {"ground_truths": ["ground_truth", "reward_model"]}
    takes_columns = False

    def arguments(self, requests):
        columns = [request["columns"] for request in requests]
        return {
            "data_sources": [own.get("data_source") for own in columns],
            "solution_strs": [text_of(request["completion"]) for request in requests],
            "ground_truths": [ground_truth(own, self.needs("ground_truths")) for own in columns],
            "extra_infos": [own.get("extra_info") or {} for own in columns],
        }

    def reads(self):
        return VERL_COLUMNS


class VerifiersGroup(Together):
    """The completions of one problem together."""

    scope = "group"
    hands = ("prompts", "completions", "states", "tasks", "infos")
    renamed = {"answers": ["answer"]}

    def arguments(self, requests):
        rollouts = [rollout(request) for request in requests]
        return {
            **columns_of(requests),
            **{f"{name}s": [one[name] for one in rollouts] for name in rollouts[0]},
        }

    def reads(self):
        return None

    def judged(self, requests):
        groups = {}
        for request in requests:
            groups.setdefault(request["group"], []).append(request)
        return [
            one for group in groups.values() for one in self.scored(group, self.arguments(group))
        ]


class Alone(Convention):
    """Functions that take one completion; the calls of a line that are async go on at one time."""

    scope = "completion"

    def judged(self, requests):
        answers = self.callee.awaited([self.begun(request) for request in requests])
        return [self.read(request, answer) for request, answer in zip(requests, answers)]

    def begun(self, request):
        try:
            return self.callee(self.arguments(request))
        except BaseException as error:
            return error

    @staticmethod
    def read(request, answer):
        return failures([request], answer)[0] if isinstance(answer, BaseException) else reply(request, answer)


class Verl(Alone):
    hands = ("data_source", "solution_str", "extra_info")
    renamed = {"ground_truth": ["ground_truth", "reward_model"]}
    takes_columns = False

    def arguments(self, request):
        columns = request["columns"]
        return {
            "data_source": columns.get("data_source"),
            "solution_str": text_of(request["completion"]),
            "ground_truth": ground_truth(columns, self.needs("ground_truth")),
            "extra_info": columns.get("extra_info") or {},
        }

    def reads(self):
        return VERL_COLUMNS


class Verifiers(Alone):
    hands = ("prompt", "completion", "state", "task", "info")

    def arguments(self, request):
        return {**request["columns"], **rollout(request)}

    def reads(self):
        names = self.callee.names
        return None if self.callee.takes_any or "state" in names else names


def convention(function, label, parameters):
    """How a function is to be called, told by its parameters."""
    callee = Callee(function, label, parameters)
    names = {*callee.names}
    if "solution_strs" in names:
        return VerlBatched(callee)
    if "solution_str" in names:
        return Verl(callee)
    if "states" in names:
        return VerifiersGroup(callee)
    if not names & {"prompts", "completions", "completion_ids"} and names & {"prompt", "completion", "state"}:
        return Verifiers(callee)
    return TRL(callee)


# What functions are handed


# How a column is told of which a member is meant.
MEMBERS = {"reward_model": "reward_model.ground_truth"}
VERL_COLUMNS = ["data_source", "ground_truth", "reward_model", "extra_info"]


def columns_of(requests):
    """The columns as lists, but those that the completion's own members hide, as in TRL."""
    names = dict.fromkeys(name for request in requests for name in request["columns"])
    return {
        name: [request["columns"].get(name) for request in requests]
        for name in names
        if name not in ("prompt", "completion", "completion_ids")
    }


def is_iterable(value):
    """Whether a value can be gone through, element by element (arrays by __getitem__ too)."""
    try:
        iter(value)
    except TypeError:
        return False
    return True


def ground_truth(columns, is_needed):
    """verl's ground truth: a column of that name, or the member of reward_model."""
    if "ground_truth" in columns:
        return columns["ground_truth"]
    model = columns.get("reward_model")
    if isinstance(model, dict) and "ground_truth" in model:
        return model["ground_truth"]
    if is_needed:
        raise ValueError("the row has neither ground_truth nor reward_model.ground_truth")
    return None


def rollout(request):
    """What verifiers' functions get by name: the members of its state, and the state itself."""
    columns = request["columns"]
    members = {
        "prompt": request["prompt"],
        "completion": request["completion"],
        "answer": columns.get("answer", ""),
        "task": columns.get("task", "default"),
        "info": columns.get("info") or {},
    }
    state = {
        **columns,
        **members,
        "completion_ids": token_ids(request),
        "is_completed": True,
        "is_truncated": request.get("finish") == "length",
    }
    return {**members, "state": state}


def text_of(completion):
    return completion if isinstance(completion, str) else completion[-1]["content"]


def token_ids(request):
    ids = request.get("completion_ids") or []
    return ids if ids or not text_of(request["completion"]) else UnknownTokens()


class UnknownTokens(list):
    """The token ids of a text that no tokenizer has read: whoever looks at them is told."""

    def _unknown(self, *_):
        raise LookupError(
            "the reward reads completion_ids, and these completions are text without token ids: name a "
            "tokenizer (grpo reward test … --tokenizer MODEL), or give the rows completion_ids"
        )

    __len__ = __iter__ = __getitem__ = __contains__ = __eq__ = __reversed__ = __add__ = _unknown
    __hash__ = None


class TrainerState:
    """The trainer's progress, one value for all of a step; before any training, the start of one step."""

    def __init__(self, state):
        known = {"global_step": 0, "max_steps": 1, "epoch": 0.0, "num_train_epochs": 1, **(state or {})}
        self.__dict__.update(known)

    def __getattr__(self, name):
        raise AttributeError(f"trainer_state has no {name!r} here: it has {', '.join(self.__dict__)}")

    def __repr__(self):
        return f"TrainerState({', '.join(f'{key}={value}' for key, value in self.__dict__.items())})"


def quoted(names):
    return ", ".join(repr(name) for name in names)
