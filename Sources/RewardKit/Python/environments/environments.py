"""Speaks grpo's line protocol for Python tools and environments, which run unchanged.

    python3 -c SOURCE '{"tools": [[FILE, "name,name"]], "environment": [FILE, NAME]}'

Each session is one trajectory's episode. Its calls are made one after the other; those of different
sessions at one time, each on a thread, as many as the hello says.
"""

import concurrent.futures
import inspect
import json
import os
import sys
import threading
from collections.abc import Mapping

import grpo_openrlhf as openrlhf
import grpo_skyrl as skyrl
import grpo_trl as trl
import grpo_verl as verl
from grpo_episodes import ToolEpisode
from grpo_functions import fail, load_file, load_module, public_names, split_call
from grpo_replies import plain, without_addresses
from grpo_schemas import SchemaFault, schema

replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
sys.dont_write_bytecode = True
writing = threading.Lock()


def main():
    hello = json.loads(requests.readline() or "{}").get("hello")
    if hello is None:
        fail("expected grpo's hello on standard input")
    named = json.loads(sys.argv[1])
    sys.argv = [(named.get("environment") or named["tools"][0])[0]]
    kinds = Kinds(named, hello.get("parameters") or {})
    write(kinds.greeting())
    sessions = {}
    with concurrent.futures.ThreadPoolExecutor(max_workers=max(1, hello.get("sessions") or 1)) as pool:
        for line in requests:
            if line.strip():
                pool.submit(answer, kinds, sessions, json.loads(line))
        # Standard input is closed: whatever still runs is not waited for.
        os._exit(0)


def answer(kinds, sessions, request):
    """Does one request; an exception is its error, whatever it is."""
    name = request["session"]
    try:
        if "reset" in request:
            row = request["reset"]
            episode = sessions[name] = kinds.episode(row["columns"])
            columns = {key: value for key, value in row["columns"].items() if key not in kinds.hidden}
            if "prompt" in row:
                columns.setdefault("prompt", row["prompt"])
            begun = episode.reset(columns, row.get("prompt"))
            reply = {"observation": begun} if isinstance(begun, str) else {"messages": begun or []}
        elif "step" in request:
            reply = sessions[name].step(request["step"])
        else:
            episode = sessions.pop(name)
            try:
                reply = {"reward": episode.reward()}
            finally:
                episode.close()
    except BaseException as error:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
        text = without_addresses("".join(traceback.format_exception_only(type(error), error)).strip())
        reply = {"error": text[:2000]}
    write({"id": request["id"], **reply})


def write(value):
    text = json.dumps(plain(value)) + "\n"
    with writing:
        sys.stdout.flush()
        sys.stderr.flush()
        replies.write(text)
        replies.flush()


class Kinds:
    """What was named: functions as tools, and an environment, or several by their names."""

    def __init__(self, named, parameters):
        self.parameters = parameters
        self.tools, self.verl, self.hidden = {}, [], ()
        for target, names in named.get("tools") or []:
            self.take_tools(target, names)
        self.factories, self.label = None, ""
        if named.get("environment"):
            target, name = named["environment"]
            self.label = f"{target}:{name}" if name else target
            self.factories = self.found_environment(target, name)

    def take_tools(self, target, names):
        module = load_file(target) if target.endswith(".py") else load_module(target)
        chosen = [name for name in names.split(",") if name] or tool_names(module)
        if not chosen:
            fail(f"{target} defines no function and no tool: name what it has as {os.path.basename(target)}:NAME")
        for name in chosen:
            found = module
            for part in name.split("."):
                if not hasattr(found, part):
                    fail(f"{target} has no tool {name!r}; it has: {', '.join(tool_names(module)) or 'none'}")
                found = getattr(found, part)
            if verl.matches(found):
                self.verl.append(verl.made(found, self.parameters))
            elif callable(found):
                self.tools[getattr(found, "__name__", name)] = found
            else:
                fail(f"{target}:{name} is not a function")

    def found_environment(self, target, name):
        """Factories by name; the key None where there is one alone."""
        module = load_file(target) if target.endswith(".py") else load_module(target)
        call = None
        if name:
            name, call = split_call(name)
        else:
            classes = [
                key for key, value in vars(module).items()
                if inspect.isclass(value) and value.__module__ == module.__name__ and kind(value)
            ]
            if len(classes) != 1:
                listed = f" ({', '.join(classes)})" if classes else ""
                fail(f"{target} has {len(classes)} environments{listed}: say which with {os.path.basename(target)}:NAME")
            name = classes[0]
        found = module
        for part in name.split("."):
            if not hasattr(found, part):
                fail(f"{target} has no {name!r}; it has: {', '.join(public_names(module)) or 'none'}")
            found = getattr(found, part)
        if call is not None:
            values, words = call
            made = found
            found = lambda: made(*values, **words)
        if isinstance(found, Mapping):
            self.hidden = ("environment",)
            return dict(found)
        if not callable(found):
            fail(f"{self.label} is neither a class nor a function that makes an environment")
        return {None: found}

    def episode(self, row):
        """A new episode for a row."""
        if self.factories is None:
            return verl.VerlEpisode(self.verl, self.tools) if self.verl else ToolEpisode(self.tools)
        if None in self.factories:
            factory = self.factories[None]
        else:
            chosen = row.get("environment")
            if chosen not in self.factories:
                raise LookupError(f"the column environment is {chosen!r}; there are {', '.join(map(str, self.factories))}")
            factory = self.factories[chosen]
        if inspect.isclass(factory) and skyrl.matches(factory):
            return skyrl.SkyRLEpisode(factory, self.parameters)
        made = factory(**self.parameters)
        if skyrl.matches(made):
            return skyrl.SkyRLEpisode(lambda: made, self.parameters)
        if openrlhf.matches(made):
            return openrlhf.OpenRLHFEpisode(made)
        if trl.matches(made):
            return trl.TRLEpisode(made, self.tools)
        raise TypeError(
            f"{self.label} made {type(made).__name__}, which is no environment: it has neither reset with tools (TRL), "
            "reset and step (OpenRLHF), nor init and step (SkyRL)"
        )

    def greeting(self):
        """Who this is, and the tools of an episode; what a method needs to be a tool is told now."""
        try:
            episodes = [self.episode({"environment": name}) for name in (self.factories or {None: None})]
            tools = {}
            for episode in episodes:
                for tool in episode.tools().values():
                    if getattr(tool, "__qualname__", "").startswith("VerlEpisode."):
                        continue
                    made = schema(tool)
                    tools.setdefault(made["function"]["name"], made)
            for tool in self.verl:
                tools[verl.name_of(tool)] = verl.schema_of(tool)
        except SchemaFault as fault:
            fail(f"{self.label}{': ' if self.label else ''}{fault}")
        return {
            "grpo": 1, "kind": "environment", "name": self.label.split(":")[-1].split("/")[-1] or "tools",
            "acts": episodes[0].acts, "has_reward": any(one.has_reward for one in episodes),
            "tools": list(tools.values()), "sessions": None,
        }


def kind(found):
    return any(one.matches(found) for one in (trl, openrlhf, skyrl))


def tool_names(module):
    """The functions that a file defines, and verl's tools in it, in its order."""
    return [
        key for key, value in vars(module).items()
        if not key.startswith("_")
        and (
            (inspect.isfunction(value) and value.__module__ == module.__name__)
            or (inspect.isclass(value) and value.__module__ == module.__name__ and verl.matches(value))
        )
    ]


main()
