"""verl's tools: BaseTool (create, execute, calc_reward, release), and what @function_tool made."""

import inspect
import json

from grpo_episodes import LOOP, ToolEpisode, measured


def matches(found):
    """A class or an object with BaseTool's methods."""
    return callable(getattr(found, "create", None)) and callable(getattr(found, "execute", None))


def made(tool, config):
    """An instance of a tool's class: __init__(config, tool_schema)."""
    if not inspect.isclass(tool):
        return tool
    takes = len([p for p in inspect.signature(tool).parameters.values() if p.default is p.empty])
    schema = config.get("tool_schema")
    return tool(*[config, schema][:takes]) if takes else tool()


def schema_of(tool):
    """The tool's schema as JSON: verl's is a pydantic model, or a dict."""
    found = getattr(tool, "tool_schema", None)
    if found is None and callable(getattr(tool, "get_openai_tool_schema", None)):
        found = tool.get_openai_tool_schema()
    if hasattr(found, "model_dump"):
        return found.model_dump(exclude_unset=True, exclude_none=True)
    return found if isinstance(found, dict) else json.loads(json.dumps(found))


def name_of(tool):
    return getattr(tool, "name", None) or (schema_of(tool) or {}).get("function", {}).get("name")


class VerlEpisode(ToolEpisode):
    """Tools whose create, execute and release surround a trajectory; execute's rewards add up."""

    has_reward = True

    def __init__(self, verl, tools):
        self.verl = {name_of(tool): tool for tool in verl}
        self.instances = {}
        self.total, self.was_rewarded = 0.0, False
        super().__init__({**tools, **{name: self.execution(name) for name in self.verl}})

    def reset(self, row, prompt):
        own = ((row.get("extra_info") or {}).get("tools_kwargs") or row.get("tools_kwargs") or {})
        for name, tool in self.verl.items():
            answer = LOOP.result(tool.create(**(own.get(name) or {}).get("create_kwargs", {})))
            self.instances[name] = answer[0] if isinstance(answer, tuple) else answer

    def execution(self, name):
        async def execute(**parameters):
            answer = self.verl[name].execute(self.instances[name], parameters)
            answer = await answer if inspect.isawaitable(answer) else answer
            response, reward = (answer[0], answer[1]) if isinstance(answer, tuple) else (answer, None)
            if reward is not None:
                self.total += measured(reward, f"{name}.execute")
                self.was_rewarded = True
            text = response.get("text") if isinstance(response, dict) else getattr(response, "text", response)
            return "" if text is None else text

        return execute

    def reward(self):
        rewards = []
        for name, tool in self.verl.items():
            if callable(getattr(tool, "calc_reward", None)):
                rewards.append(measured(LOOP.result(tool.calc_reward(self.instances[name])), "calc_reward"))
        rewards = [one for one in rewards if one is not None]
        return sum(rewards) + self.total if rewards or self.was_rewarded else None

    def close(self):
        for name, tool in self.verl.items():
            if name in self.instances and callable(getattr(tool, "release", None)):
                LOOP.result(tool.release(self.instances[name]))
