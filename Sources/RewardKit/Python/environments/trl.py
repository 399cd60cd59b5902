"""TRL's environments: reset(**row), public methods as tools, get_reward."""

import inspect

from grpo_episodes import LOOP, ToolEpisode, measured

RESERVED = ("reset", "get_reward", "close")


def matches(found):
    """A class with reset and tools, without another kind's step."""
    return callable(getattr(found, "reset", None)) and not any(hasattr(found, name) for name in ("step", "init", "execute"))


class TRLEpisode(ToolEpisode):
    def __init__(self, environment, tools):
        self.environment = environment
        own = {
            name: method
            for name, method in inspect.getmembers(environment, inspect.ismethod)
            if not name.startswith("_") and name not in RESERVED
        }
        super().__init__({**tools, **own})
        self.has_reward = callable(getattr(environment, "get_reward", None))

    def reset(self, row, prompt):
        return LOOP.result(self.environment.reset(**row))

    def reward(self):
        if not self.has_reward:
            return None
        return measured(LOOP.result(self.environment.get_reward()), "get_reward")

    def close(self):
        if callable(getattr(self.environment, "close", None)):
            LOOP.result(self.environment.close())
