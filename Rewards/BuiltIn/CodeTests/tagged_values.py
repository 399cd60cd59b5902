"""What a judge and a candidate exchange: frames of JSON with tagged values, never objects.

  None, bool, str            as JSON has them
  ["i", hex]                 int              ["f", hex]         float, inf and nan included
  ["c", hex, hex]            complex          ["b", hex]         bytes
  ["y", name]                a type of Python's own, such as int
  ["t", [value …]]           tuple            ["z", [value …]]   frozenset
  ["l", n, [value …]]        list n           ["s", n, [value …]]   set n
  ["d", n, [[key, value] …]] dict n           ["r", n]           the list, set or dict n again

What can change is numbered in order of appearance, so that both sides know it by the same number:
a list within itself is no harm, and what a call did to its arguments can be sent back.
"""

import builtins
import json
import struct

LARGEST_FRAME = 4 << 20
DEEPEST = 100


class CannotBeCarried(Exception):
    """A value that has no tag, or is nested too deep."""


class BadFrame(Exception):
    """Bytes that are no frame of this protocol."""


def own_type(name):
    """A type of Python's own by its name."""
    kind = getattr(builtins, name, None)
    if not isinstance(kind, type):
        raise BadFrame("a type that is not Python's own")
    return kind


class Encoder:
    """Turns values into JSON; `known` are the numbered ones, those of the other side first."""

    def __init__(self, known=(), is_exact=True):
        self.known = list(known)
        self.numbers = {id(value): number for number, value in enumerate(self.known)}
        # A subclass goes as its base, but not where the other side would notice.
        self.is_exact = is_exact

    def encode(self, value, depth=0):
        if depth > DEEPEST:
            raise CannotBeCarried(f"a value nested more than {DEEPEST} deep")
        if value is None or value is True or value is False:
            return value
        if isinstance(value, type) and getattr(builtins, value.__name__, None) is value:
            return ["y", value.__name__]
        kind = self.kind(value)
        if kind is str:
            return str.__str__(value)
        if kind is int:
            return ["i", format(int.__index__(value), "x")]
        if kind is float:
            return ["f", float.hex(value)]
        if kind is complex:
            return ["c", float.hex(value.real), float.hex(value.imag)]
        if kind is bytes:
            return ["b", bytes.hex(value)]
        if kind in (tuple, frozenset):
            items = [self.encode(item, depth + 1) for item in kind.__iter__(value)]
            return ["t" if kind is tuple else "z", items]
        if id(value) in self.numbers:
            return ["r", self.numbers[id(value)]]
        number = len(self.known)
        self.known.append(value)
        self.numbers[id(value)] = number
        return [{list: "l", set: "s", dict: "d"}[kind], number, self.contents(value, depth)]

    def contents(self, value, depth=0):
        """What is in a list, set or dict."""
        kind = self.kind(value)
        if kind is dict:
            return [
                [self.encode(key, depth + 1), self.encode(member, depth + 1)]
                for key, member in dict.items(value)
            ]
        return [self.encode(item, depth + 1) for item in kind.__iter__(value)]

    def kind(self, value):
        for kind in (str, int, float, complex, bytes, tuple, frozenset, list, set, dict):
            if type(value) is kind or not self.is_exact and isinstance(value, kind):
                return kind
        raise CannotBeCarried(f"a value of type {type(value).__name__}")


class Decoder:
    """Turns JSON into values of exactly the types above."""

    def __init__(self, known=()):
        self.known = list(known)

    def decode(self, tagged, depth=0):
        if depth > DEEPEST + 1:
            raise BadFrame("nested too deep")
        if tagged is None or isinstance(tagged, (bool, str)):
            return tagged
        if not isinstance(tagged, list) or len(tagged) not in (2, 3):
            raise BadFrame("a value without a tag")
        tag, rest = tagged[0], tagged[1:]
        if tag in ("l", "s", "d"):
            return self.numbered(tag, rest, depth)
        try:
            if tag == "r":
                return self.known[rest[0]]
            if tag == "y":
                return own_type(rest[0])
            if tag == "i":
                return int(rest[0], 16)
            if tag == "f":
                return float.fromhex(rest[0])
            if tag == "c":
                return complex(float.fromhex(rest[0]), float.fromhex(rest[1]))
            if tag == "b":
                return bytes.fromhex(rest[0])
            if tag in ("t", "z"):
                items = [self.decode(item, depth + 1) for item in rest[0]]
                return tuple(items) if tag == "t" else frozenset(items)
        except (TypeError, ValueError, IndexError, OverflowError) as error:
            raise BadFrame(f"a value with tag {tag}: {error}") from None
        raise BadFrame("an unknown tag")

    def numbered(self, tag, rest, depth):
        if len(rest) != 2 or rest[0] != len(self.known) or not isinstance(rest[1], list):
            raise BadFrame("a number out of order")
        value = {"l": list, "s": set, "d": dict}[tag]()
        self.known.append(value)
        self.fill(value, rest[1], depth)
        return value

    def fill(self, value, contents, depth=0):
        """Puts decoded contents into a list, set or dict, in place of what it held."""
        try:
            if isinstance(value, dict):
                pairs = [
                    (self.decode(key, depth + 1), self.decode(member, depth + 1))
                    for key, member in contents
                ]
                value.clear()
                value.update(pairs)
            else:
                items = [self.decode(item, depth + 1) for item in contents]
                value.clear()
                (value.extend if isinstance(value, list) else value.update)(items)
        except (TypeError, ValueError) as error:
            raise BadFrame(f"contents that do not fit: {error}") from None


def send_frame(channel, message):
    """Sends a message; too large a one can't be carried."""
    data = json.dumps(message).encode()
    if len(data) > LARGEST_FRAME:
        raise CannotBeCarried(f"a value of more than {LARGEST_FRAME >> 20} MiB")
    channel.sendall(struct.pack("<I", len(data)) + data)


def receive_frame(channel):
    """The next message; None at the end of the channel.

    Plain `recv` throws away any descriptor that comes along.
    """
    head = receive_exactly(channel, 4)
    if head is None:
        return None
    size = struct.unpack("<I", head)[0]
    if size > LARGEST_FRAME:
        raise BadFrame("a frame that is too large")
    data = receive_exactly(channel, size)
    if data is None:
        return None
    try:
        message = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadFrame(f"no JSON: {error}") from None
    if not isinstance(message, dict):
        raise BadFrame("a message that is not an object")
    return message


def receive_exactly(channel, count):
    data = bytearray()
    while len(data) < count:
        try:
            more = channel.recv(min(65536, count - len(data)))
        except OSError:
            return None
        if not more:
            return None
        data += more
    return bytes(data)
