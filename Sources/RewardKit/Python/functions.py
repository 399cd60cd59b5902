"""Finds the reward function that a setting names, and builds it where it is a class or a factory.

A function is named by a file or a module, and a name in it that may be called with literals:

  rewards.py   rewards.py:accuracy   trl.rewards.accuracy_reward   open_r1.rewards:format_reward
  trl.rewards.get_soft_overlong_punishment(max_completion_len=256, soft_punish_cache=64)
"""

import ast
import functools
import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import sys

# The parameters by which a reward function is known; conventions.py says who hands over which.
WORDS = {
    "prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric",
    "solution_str", "solution_strs", "prompt", "completion", "state", "states",
}
KNOWN = "prompts, completions or completion_ids (TRL), solution_str (verl), completion or state (verifiers)"


def fail(sentence):
    """Ends the start: grpo shows the sentence, and no run begins."""
    print(sentence, file=sys.stderr, flush=True)
    sys.exit(1)


def find(target, name, parameters):
    """The function, how it is called in messages, and the parameters left to be handed to each call.

    target: the absolute path of a file, or a module's dotted name; name: a name in it, called or not,
    or "" for the one reward function of the file.
    """
    module = load_file(target) if target.endswith(".py") else load_module(target)
    call = None
    if name:
        name, call = split_call(name)
    else:
        name = only_reward(module, target)
    label = f"{target}:{name}" if target.endswith(".py") else f"{target}.{name}"
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            known = ", ".join(public_names(found)) or "none"
            fail(f"{target} has no function {name!r}; it has: {known}")
        found = getattr(found, part)
    if not callable(found):
        fail(f"{label} is {shortened(repr(found))}, which is not a function")
    if call is not None:
        return checked(built(found, label, *call), label), label, parameters
    if inspect.isclass(found) or not is_reward(found):
        return checked(built(found, label, [], parameters), label), label, {}
    return found, label, parameters


def split_call(text):
    """("make", ([1], {"scale": 2})) of "make(1, scale=2)"; ("f", None) of "f"."""
    try:
        node = ast.parse(text, mode="eval").body
        name = text.split("(", 1)[0].strip()
        if not isinstance(node, ast.Call):
            return name, None
        words = {word.arg: ast.literal_eval(word.value) for word in node.keywords}
        return name, ([ast.literal_eval(value) for value in node.args], words)
    except (SyntaxError, ValueError, TypeError):
        fail(f"{text!r} is neither a function's name nor a call with literal values, such as f(scale=2)")


def built(factory, label, values, words):
    """What a class or a factory makes of parameters."""
    try:
        signature = inspect.signature(factory)
        signature.bind(*values, **words)
    except TypeError as error:
        given = ", ".join([repr(value) for value in values] + [f"{key}={value!r}" for key, value in words.items()])
        fail(
            f"{label}{signature} is not a reward function, which has one of the parameters {KNOWN}; and to make "
            f'one it cannot be called with ({given}): {error}. Give it what it takes with "parameters"'
        )
    except ValueError:  # a signature that cannot be read: the call itself will tell
        pass
    return factory(*values, **words)


def checked(made, label):
    """What a factory made, which must be a reward function."""
    if not callable(made):
        fail(f"{label} made {shortened(repr(made))}, which is not a function")
    if not is_reward(made):
        fail(
            f"{label} made {display_name(made)}{inspect.signature(made)}, which is not a reward function: it has "
            f"none of the parameters {KNOWN}"
        )
    return made


def is_reward(function):
    """Whether the parameters are a reward function's, or any keyword is taken and nothing demanded."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    demands = any(p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL) for p in parameters)
    return has_words(function) or (takes_any and not demands)


def has_words(function):
    """Whether a parameter is one by which reward functions are known."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name in WORDS and p.kind is not p.VAR_KEYWORD for p in parameters)


def display_name(function):
    """A callable's name, a partial's being that of the function in it, as TRL names it."""
    while isinstance(function, functools.partial):
        function = function.func
    return getattr(function, "__name__", type(function).__name__)


def shortened(text):
    return text if len(text) <= 120 else text[:119] + "…"


# Names


def public_names(module):
    """The functions that a module defines itself, and the reward objects in it, in its order."""
    if not inspect.ismodule(module):
        return [key for key in dir(module) if not key.startswith("_") and callable(getattr(module, key))]
    return [
        key
        for key, value in vars(module).items()
        if not key.startswith("_") and callable(value) and is_own(value, module)
    ]


def is_own(value, module):
    if inspect.isclass(value):
        return False
    if inspect.isroutine(value):
        return getattr(value, "__module__", None) == module.__name__
    # An object: a partial, one of a class of the module, or one that a factory made.
    return type(value).__module__ == module.__name__ or has_words(value)


def only_reward(module, target):
    """compute_score, or else the one public function that is a reward, or the one that there is."""
    if callable(getattr(module, "compute_score", None)):
        return "compute_score"
    names = public_names(module)
    rewards = [key for key in names if is_reward(getattr(module, key))]
    for choice in (rewards, names):
        if len(choice) == 1:
            return choice[0]
    listed = ", ".join(rewards or names)
    what = "reward functions" if rewards else "functions"
    fail(
        f"{target} has {len(rewards or names)} {what}{f' ({listed})' if listed else ''}: say which is the reward "
        f"with {os.path.basename(target)}:FUNCTION"
    )


# Modules


def load_module(target):
    """A module by its dotted name, or what a module has under the rest of the name; the working folder counts."""
    parts = target.split(".")
    for count in range(len(parts), 0, -1):
        name = ".".join(parts[:count])
        try:
            found = importlib.import_module(name)
        except ModuleNotFoundError as error:
            # What the module itself imports and lacks is another fault, shown as Python shows it.
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            continue
        for part in parts[count:]:
            if not hasattr(found, part):
                fail(f"the Python module {name} has no {part!r}, of which {target!r} speaks")
            found = getattr(found, part)
        return found
    fail(
        f"{sys.executable} finds no module {parts[0]!r}, neither installed nor in {os.getcwd()}: install it there, "
        f"or name another Python with python: \"…\" (a file is named by its path, as ./{parts[0]}.py)"
    )


def load_file(path):
    """Imports a file under its own name, its folder first in the search path; a file with relative imports
    as a module of its packages."""
    folder, stem = os.path.split(path[: -len(".py")])
    climbs = relative_levels(path)
    root, packages = folder, []
    while len(packages) < climbs or os.path.isfile(os.path.join(root, "__init__.py")):
        root, package = os.path.split(root)
        if not package:
            break
        packages.insert(0, package)
    sys.path[0:1] = [folder, root] if packages else [folder]
    if climbs:
        packages[0] = top_package(os.path.join(root, packages[0]))
        return importlib.import_module(".".join(packages + [stem]))
    name = free_name(stem)
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def relative_levels(path):
    """How many folders the relative imports of a file climb: 1 for `from .x import y`."""
    with open(path, "rb") as file:
        try:
            tree = ast.parse(file.read(), path)
        except SyntaxError:
            return 0  # the import shows it
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)


def top_package(folder):
    """The name under which a folder is a package: its own, or, where that cannot be one, another."""
    own = os.path.basename(folder)
    name = free_name(own)
    if name == own and own.isidentifier():
        return own
    name = "".join(c if c.isalnum() else "_" for c in name)
    initial = os.path.join(folder, "__init__.py")
    if os.path.isfile(initial):
        spec = importlib.util.spec_from_file_location(name, initial, submodule_search_locations=[folder])
    else:
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [folder]
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if spec.loader:
        spec.loader.exec_module(module)
    return name


def free_name(name):
    """A file called random.py must not become the random of everybody else."""
    return f"reward_{name}" if name in sys.modules or name in STANDARD else name


STANDARD = getattr(sys, "stdlib_module_names", frozenset())
