"""OpenRLHF's agents: async reset({observation, label}) and step({observation_text, action_text, label, …})."""

from grpo_episodes import LOOP, Episode, measured, messages_of
from grpo_replies import number


def matches(found):
    """A class whose step takes one argument, the states."""
    return callable(getattr(found, "reset", None)) and callable(getattr(found, "step", None))


class OpenRLHFEpisode(Episode):
    acts = "text"
    has_reward = True

    def __init__(self, agent):
        self.agent = agent
        self.total, self.observed = None, ""

    def reset(self, row, prompt):
        self.label = row.get("label", row.get("answer"))
        text = prompt if isinstance(prompt, str) else "\n".join(str(one.get("content", "")) for one in prompt or [])
        answer = LOOP.result(self.agent.reset({"observation": text, "label": self.label})) or {}
        self.observed = answer.get("observation") or text
        # What it hands back is the prompt itself, unless it added to it.
        return self.observed[len(text):] if self.observed.startswith(text) else None

    def step(self, turn):
        states = {
            "observation_text": self.observed, "action_text": turn["text"], "label": self.label,
            "sampling_params": {},
        }
        answer = LOOP.result(self.agent.step(states)) or {}
        reward = measured(number(plain_number(answer.get("rewards"))), "step")
        if reward is not None:
            self.total = (self.total or 0.0) + reward
        feedback = answer.get("environment_feedback") or ""
        self.observed += turn["text"] + str(feedback)
        return {"messages": messages_of(feedback), "reward": reward, "done": bool(answer.get("done"))}

    def reward(self):
        return self.total


def plain_number(value):
    """A number of a number, a tensor of one element, or a list of one."""
    if hasattr(value, "item"):
        return value.item()
    return value[0] if isinstance(value, (list, tuple)) and value else value
