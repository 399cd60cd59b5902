"""SkyRL-Gym's environments: __init__(env_config, extras), init(prompt), step(action)."""

import inspect

from grpo_episodes import LOOP, Episode, measured, messages_of


def matches(found):
    """A class with init and step."""
    return callable(getattr(found, "init", None)) and callable(getattr(found, "step", None))


def made(factory, config, row):
    """An environment of a class that takes (env_config, extras), or less of it."""
    try:
        names = [p for p in inspect.signature(factory).parameters if p not in ("self", "args", "kwargs")]
    except (TypeError, ValueError):
        names = []
    given = {"env_config": config, "extras": row}
    return factory(**{name: given[name] for name in names if name in given})


class SkyRLEpisode(Episode):
    acts = "text"
    has_reward = True

    def __init__(self, factory, config):
        self.factory, self.config = factory, config
        self.total = None

    def reset(self, row, prompt):
        self.environment = made(self.factory, self.config, row)
        answer = LOOP.result(self.environment.init(prompt))
        begun = answer[0] if isinstance(answer, tuple) else answer
        before = prompt if isinstance(prompt, list) else []
        return begun[len(before):] if isinstance(begun, list) and begun[: len(before)] == before else None

    def step(self, turn):
        answer = LOOP.result(self.environment.step(turn["text"]))
        member = answer.get if isinstance(answer, dict) else lambda key: getattr(answer, key, None)
        reward = measured(member("reward"), "step")
        if reward is not None:
            self.total = (self.total or 0.0) + reward
        return {"messages": messages_of(member("observations")), "reward": reward, "done": bool(member("done"))}

    def reward(self):
        return self.total

    def close(self):
        if callable(getattr(getattr(self, "environment", None), "close", None)):
            LOOP.result(self.environment.close())
