"""Speaks grpo's line protocol for a Python reward function, which runs unchanged.

    python3 -c SOURCE TARGET NAME       (functions.py says what they are)
"""

import json
import os
import sys

import grpo_conventions
import grpo_functions

# Replies go out through a descriptor of their own, and what the function prints goes to standard
# error: a stray print() must not be taken for a reply.
replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
requests = os.fdopen(os.dup(0), "r", encoding="utf-8", newline="\n")
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
# The user's folder stays as it is, and a file that was just changed is read anew.
sys.dont_write_bytecode = True


def main():
    hello = json.loads(requests.readline() or "{}").get("hello")
    if hello is None:
        grpo_functions.fail("expected grpo's hello on standard input")
    target, name = sys.argv[1:3]
    sys.argv = [target]
    found = grpo_functions.find(target, name, hello.get("parameters") or {})
    convention = grpo_conventions.convention(*found)
    faults = list(convention.faults(hello.get("columns"), hello.get("data") or "the data"))
    if faults:
        grpo_functions.fail("\n".join(faults))
    write([convention.greeting()])
    for line in requests:
        if line.strip():
            batch = json.loads(line)
            write(convention.replies(batch if isinstance(batch, list) else [batch]))


def write(answers):
    """Writes replies, a line each, after whatever the function printed."""
    lines = [json.dumps(one) + "\n" for one in answers]
    sys.stdout.flush()
    sys.stderr.flush()
    replies.write("".join(lines))
    replies.flush()


main()
