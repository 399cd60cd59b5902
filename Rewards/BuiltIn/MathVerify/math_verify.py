"""Judges answers with Hugging Face's math-verify, a completion at a time.

math-verify's own time limits use an alarm signal, which works on a main thread alone; here they are
off, and grpo ends the process that takes too long and counts it. A gold answer is parsed once.
"""

import functools
import json
import logging
import platform
import sys
from importlib import metadata

PACKAGES = ("math-verify", "latex2sympy2_extended", "sympy")

try:
    from math_verify import parse, verify
except ImportError as error:
    sys.exit(
        f"{sys.executable} has no math-verify ({error}): {sys.executable} -m pip install math-verify "
        "(or name another interpreter with python: in the reward's object)"
    )

# It warns of every limit that is off.
logging.disable(logging.WARNING)


def versions():
    """The versions that the scores depend on."""
    found = [f"{name} {metadata.version(name)}" for name in PACKAGES]
    return ", ".join(found + [f"Python {platform.python_version()}"])


@functools.lru_cache(maxsize=4096)
def parsed_gold(text):
    """What a gold answer denotes; None where it can't be parsed."""
    delimiters = ("$", "\\boxed", "\\(", "\\[")
    marked = text if any(mark in text for mark in delimiters) else f"${text}$"
    found = parse(marked, parsing_timeout=None)
    # A text alone is what is left where parsing failed.
    return found if any(not isinstance(part, str) for part in found) else None


def judged(request, settings):
    """The reply to a request."""
    answers = request["columns"].get("answer")
    answers = answers if isinstance(answers, list) else [answers]
    if answers in ([], [None]):
        return {"unscorable": 'the row has no "answer"'}
    answers = ["" if answer is None else str(answer) for answer in answers]
    if not all(answer.strip() for answer in answers):
        return {"unscorable": 'the row\'s "answer" is empty'}
    completion = request["completion"]
    if isinstance(completion, list):
        completion = completion[-1]["content"]
    given = parse(completion, parsing_timeout=None)
    for answer in answers:
        gold = parsed_gold(answer)
        if gold is None:
            return {"unscorable": f"math-verify cannot parse the answer '{answer[:60]}'"}
        if given and verify(gold, given, timeout_seconds=None, **settings):
            return {"score": 1, "reason": "equal"}
    return {"score": 0, "reason": "another answer" if given else "no answer was found"}


def main():
    settings = json.loads(sys.stdin.readline())["hello"]["parameters"]
    greeting = {
        "grpo": 1, "name": "math_verify", "version": versions(), "scope": "completion",
        "deterministic": True, "range": [0, 1], "reads": ["answer"]}
    print(json.dumps(greeting), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = judged(request, settings)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"[:500]}
        print(json.dumps({"id": request["id"], **reply}), flush=True)


main()
