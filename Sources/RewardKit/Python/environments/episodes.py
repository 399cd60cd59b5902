"""What an environment is to grpo: an episode for each trajectory, opened, asked turn by turn, closed.

An episode answers with messages; a reward, whether it is done, and how many calls failed stand beside them.
"""

import asyncio
import inspect
import threading

from grpo_replies import number, shown


class Loop:
    """The one event loop, on a thread of its own, that every coroutine of the process runs in."""

    def __init__(self):
        self.loop = None
        self.lock = threading.Lock()

    def result(self, answer):
        """An answer, awaited where it is to be."""
        if not inspect.isawaitable(answer):
            return answer
        with self.lock:
            if self.loop is None:
                self.loop = asyncio.new_event_loop()
                threading.Thread(target=self.loop.run_forever, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(waited(answer), self.loop).result()


async def waited(answer):
    return await answer


async def gathered(answers):
    return await asyncio.gather(*answers, return_exceptions=True)


LOOP = Loop()


class Episode:
    """One trajectory's environment; a convention overrides what it has."""

    # Whether only turns with calls are steps; otherwise every turn is one.
    acts = "calls"
    has_reward = False

    def tools(self):
        """Functions by the names that the policy calls them by."""
        return {}

    def reset(self, row, prompt):
        """A text that is appended to the last message, messages that follow it, or None."""

    def step(self, turn):
        """What becomes of a turn of the policy: {"messages", "reward"?, "done"?, "failures"?}."""
        raise NotImplementedError

    def reward(self):
        """The trajectory's reward; None where the environment has none."""

    def close(self):
        """Gives back what the episode holds."""


class ToolEpisode(Episode):
    """Tools without an environment, or beside one."""

    def __init__(self, tools):
        self.functions = tools

    def tools(self):
        return self.functions

    def step(self, turn):
        messages, failures = answers(self.tools(), turn.get("calls") or [])
        return {"messages": messages, "failures": failures}


def answers(tools, calls):
    """A message for each call, in order, as TRL makes them, and how many calls failed.

    Functions are called in order; coroutines are awaited together.
    """
    results, waiting, failures = [], [], 0
    for call in calls:
        name = call.get("name") or "unknown"
        try:
            if "error" in call:
                raise ValueError(call["error"])
            if name not in tools:
                raise ValueError(f"Tool {name} not found.")
            answer = tools[name](**call["arguments"])
        except Exception as error:
            answer, failures = {"error": str(error)}, failures + 1
        if inspect.isawaitable(answer):
            waiting.append(len(results))
        results.append((name, answer))
    if waiting:
        for place, answer in zip(waiting, LOOP.result(gathered([results[place][1] for place in waiting]))):
            if isinstance(answer, Exception):
                answer, failures = {"error": str(answer)}, failures + 1
            results[place] = (results[place][0], answer)
    return [{"role": "tool", "name": name, "content": str(answer)} for name, answer in results], failures


def measured(value, what):
    """A reward as a float; None stays None."""
    if value is None:
        return None
    found = number(value)
    if found is None or found != found or found in (float("inf"), float("-inf")):
        raise TypeError(f"{what} gave {shown(value)}, which is not a finite number")
    return found


def messages_of(value, role="user"):
    """Messages of a text, a message, or a list of messages."""
    if value is None or value == "":
        return []
    if isinstance(value, str):
        return [{"role": role, "content": value}]
    if isinstance(value, dict):
        return [value]
    return [one if isinstance(one, dict) else {"role": role, "content": str(one)} for one in value]
