#!/usr/bin/env python3
"""Makes turn_suffixes.json: the tokens between two turns as TRL 1.16's tool loop finds them, by transformers' own rendering.

    make_turn_suffixes.py SHARED > turn_suffixes.json        (transformers 5.24, no torch)

TRL renders a stand-in conversation with and without the tool messages, cuts the first after its last end token, and takes
what follows in the second (GRPOTrainer._get_tool_suffix_ids). Qwen3's own template is not prefix-preserving for a turn
without reasoning; TRL replaces it by one that is, and here the stand-in has reasoning, which comes to the same.
"""

import json
import pathlib
import random
import sys

from transformers import PreTrainedTokenizerFast

shared = pathlib.Path(sys.argv[1])
draw = random.Random(5)
WORDS = ["12", "-3.5", "Bern", "né", "日本", "{'error': 'division by zero'}", "{\"t\": [1, 2]}", "no\nway", " padded ", "<b>", "😀"]
TEMPLATES = {
    "qwen2.5": ("qwen2.5", None, "<|im_end|>"),
    "qwen3": ("qwen3", None, "<|im_end|>"),
    "llama3.2": ("llama3", "meta-llama-Llama-3.2-3B-Instruct", "<|eot_id|>"),
}


def suffix(tokenizer, template, end, messages, reasoning):
    calls = any(message["role"] == "tool" for message in messages)
    turn = {"role": "assistant", "content": "" if calls else "dummy"}
    if calls:
        turn["tool_calls"] = [{"type": "function", "function": {"name": "dummy", "arguments": {}}}]
    if reasoning:
        turn["reasoning_content"] = "dummy"
    head = [{"role": "user", "content": "dummy"}, turn]
    render = lambda some, opens: tokenizer.apply_chat_template(
        some, add_generation_prompt=opens, tokenize=True, return_dict=False, chat_template=template)
    before, whole = render(head, False), render(head + messages, True)
    place = max(index for index, token in enumerate(before) if token == end)
    assert whole[: place + 1] == before[: place + 1]
    return whole[place + 1 :]


def conversations():
    for name, (folder, file, end) in TEMPLATES.items():
        source = shared / "tokenizers" / folder
        tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(source / "tokenizer.json"), bos_token="<|begin_of_text|>")
        if file:
            template = (shared / "tokenizers/chat_templates" / f"{file}.jinja").read_text()
        else:
            template = json.loads((source / "tokenizer_config.json").read_text())["chat_template"]
        end = tokenizer.convert_tokens_to_ids(end)
        for number in range(67):
            if number % 5 == 4 and name != "qwen3":
                messages = [{"role": "user", "content": " ".join(draw.choices(WORDS, k=3))}]
            else:
                count = 1 + number % 3
                messages = [
                    {"role": "tool", "name": f"t{index}", "content": " ".join(draw.choices(WORDS, k=1 + number % 4))}
                    for index in range(count)
                ]
            yield {"name": name, "messages": messages, "ids": suffix(tokenizer, template, end, messages, name == "qwen3")}


print("[" + ",\n".join(json.dumps(one) for one in conversations()) + "]")
