"""The JSON schema of a tool, of its type hints and its Google docstring, exactly as transformers' (5.24)
get_json_schema makes it (utils/chat_template_utils.py); no transformers needed.
"""

import enum
import inspect
import json
import re
import types
import typing

DESCRIPTION = re.compile(r"^(.*?)[\n\s]*(Args:|Returns:|Raises:|\Z)", re.DOTALL)
ARGUMENTS = re.compile(r"\n\s*Args:\n(.*?)[\n\s]*(Returns:|Raises:|\Z)", re.DOTALL)
# An argument's indentation and name, a "(type)" passed over; its words end at the next "name:" not indented deeper.
ARGUMENT = re.compile(
    r"(?:^|\n)([ \t]*)(\w+)(?:[ \t]*\([^()\n]*\))?:\s*(.*?)\s*"
    r"(?=\n(?!\1[ \t])[ \t]*\w+(?:[ \t]*\([^()\n]*\))?:|\Z)",
    re.DOTALL,
)
RETURNS = re.compile(r"\n\s*Returns:\n\s*(.*?)[\n\s]*(Raises:|\Z)", re.DOTALL)
CHOICES = re.compile(r"\(choices:\s*(.*?)\)\s*$", re.IGNORECASE)
PLAIN = {
    int: {"type": "integer"}, float: {"type": "number"}, str: {"type": "string"}, bool: {"type": "boolean"},
    type(None): {"type": "null"}, list: {"type": "array"}, tuple: {"type": "array"}, dict: {"type": "object"},
    typing.Any: {},
}
SCALARS = {int: "integer", float: "number", str: "string", bool: "boolean", type(None): "null"}


class SchemaFault(Exception):
    """Why a function is no tool, as a sentence."""


def schema(function):
    """{"type": "function", "function": {"name", "description", "parameters", "return"?}} of a function."""
    name = getattr(function, "__name__", "operation")
    text = (inspect.getdoc(function) or "").strip()
    if not text:
        raise SchemaFault(f"the tool {name} has no docstring, which tells the policy what it does")
    description, described, returned = docstring(text)
    parameters = hints(function)
    result = parameters["properties"].pop("return", None)
    if result is not None and returned is not None:
        result["description"] = returned
    for key, member in parameters["properties"].items():
        if key not in described:
            raise SchemaFault(f"the docstring of the tool {name} does not describe {key!r} under 'Args:'")
        words = described[key]
        choices = CHOICES.search(words)
        if choices:
            try:
                member["enum"] = [
                    one.strip() if isinstance(one, str) else one for one in json.loads(choices.group(1))
                ]
            except (ValueError, TypeError):
                raise SchemaFault(f"the choices of {key!r} of the tool {name} are not a list in JSON") from None
            words = words[: choices.start()].strip()
        member["description"] = words
    made = {"name": name, "description": description, "parameters": parameters}
    if result is not None:
        made["return"] = result
    return {"type": "function", "function": made}


def docstring(text):
    """What a Google docstring says of the function, of each argument, and of what is returned."""
    description, arguments, returns = (pattern.search(text) for pattern in (DESCRIPTION, ARGUMENTS, RETURNS))
    described = {}
    if arguments:
        lines = "\n".join(line for line in arguments.group(1).split("\n") if line.strip())
        for _, key, words in ARGUMENT.findall(lines):
            described[key] = re.sub(r"\s*\n+\s*", " ", words.strip())
    return (
        description.group(1).strip() if description else None,
        described,
        returns.group(1).strip() if returns else None,
    )


def hints(function):
    """The parameters as a JSON schema; the return type stands under "return"."""
    name = getattr(function, "__name__", "operation")
    parameters = inspect.signature(function).parameters
    receiver = next(iter(parameters), None)
    if receiver not in ("self", "cls") or parameters[receiver].annotation is not inspect.Parameter.empty:
        receiver = None
    required = []
    for parameter in parameters.values():
        if parameter.name == receiver:
            continue
        if parameter.annotation is inspect.Parameter.empty:
            raise SchemaFault(f"the argument {parameter.name!r} of the tool {name} has no type hint")
        if parameter.default is inspect.Parameter.empty:
            required.append(parameter.name)
    properties = {}
    for key, hint in typing.get_type_hints(function).items():
        if key == receiver:
            continue
        try:
            properties[key] = typed(hint, name)
        except SchemaFault:
            # The policy never writes what is returned: a type that JSON lacks is left out.
            if key != "return":
                raise
    made = {"type": "object", "properties": properties}
    if required:
        made["required"] = required
    return made


def typed(hint, name):
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is None and isinstance(hint, type) and issubclass(hint, enum.Enum):
        return one_of([member.value for member in hint], hint, name)
    if origin is None:
        plain = PLAIN.get(hint)
        if plain is None:
            raise SchemaFault(f"the tool {name} has the type hint {hint!r}, which JSON has no type for")
        return dict(plain)
    if origin is typing.Union or origin is getattr(types, "UnionType", None):
        return union(arguments, name)
    if origin is typing.Literal:
        return one_of(list(arguments), hint, name)
    if origin is list:
        return {"type": "array", "items": typed(arguments[0], name)} if arguments else {"type": "array"}
    if origin is tuple:
        if not arguments:
            return {"type": "array"}
        if len(arguments) == 1 or ... in arguments:
            raise SchemaFault(f"{hint} in the tool {name}: write list[…] for members of one type")
        return {"type": "array", "prefixItems": [typed(one, name) for one in arguments]}
    if origin is dict:
        made = {"type": "object"}
        if len(arguments) == 2:
            made["additionalProperties"] = typed(arguments[1], name)
        return made
    raise SchemaFault(f"the tool {name} has the type hint {hint!r}, which JSON has no type for")


def one_of(values, hint, name):
    """The schema of one of some values."""
    if not values or any(type(value) not in SCALARS for value in values):
        raise SchemaFault(f"the tool {name} has the type hint {hint!r}, whose values are not texts, numbers, booleans or None")
    kinds = list(dict.fromkeys(SCALARS[type(value)] for value in values))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, "enum": values}


def union(kinds, name):
    members = [typed(one, name) for one in kinds if one is not type(None)]
    if len(members) == 1:
        made = members[0]
    elif all(one.keys() == {"type"} and isinstance(one["type"], str) for one in members):
        names = sorted({one["type"] for one in members})
        made = {"type": names[0] if len(names) == 1 else names}
    else:
        made = {"anyOf": members}
    if type(None) in kinds:
        made["nullable"] = True
    return made
