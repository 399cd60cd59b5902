#!/usr/bin/env python3
"""Cheerful words, as a reward plugin in Python: min(5, n)/5 for n cheerful words, repeats counted.

    grpo train --reward Rewards/cheerful-words/cheerful_words.py

It needs nothing but Python's own library: lines of JSON on standard input and output.
"""

import json
import re
import sys

CHEERFUL = set(
    "happy smiled smile love loved fun play played good nice laughed hug hugged friend friends".split()
)


def score(text):
    n = sum(word in CHEERFUL for word in re.findall(r"[a-z]+", text.lower()))
    return min(5, n) / 5


def main():
    sys.stdin.readline()  # grpo's hello: columns, parameters, batch
    print(json.dumps({"grpo": 1, "name": "cheerful-words", "range": [0, 1]}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        completion = request["completion"]
        if isinstance(completion, list):  # chat: a list of messages
            completion = completion[-1]["content"]
        print(json.dumps({"id": request["id"], "score": score(completion)}), flush=True)


main()
