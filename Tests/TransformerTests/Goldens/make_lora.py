"""Makes lora.json beside it: what PEFT's LoRA gives in float64, for AdapterGoldenTests.swift.

    python make_lora.py            made with torch 2.15.0 (CPU), transformers 5.23.0, peft 0.21.2

Weights are a function of the tensor's place among the sorted names and of the element's place (`value` below,
the same in the test), so that the file holds results alone: log-probabilities with the adapter on, off and
merged, and the gradient of L = Σ wᵢ log πᵢ + Σ uᵢ Hᵢ, wᵢ = cos i, uᵢ = sin(i) / 2, by every adapter tensor.
"""

import json
import math
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

BASE = {
    "hidden_size": 20, "intermediate_size": 28, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 6, "vocab_size": 37, "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5, "tie_word_embeddings": False, "attention_dropout": 0.0,
}
CASES = [
    {"name": "llama, all linear layers", "config": {**BASE, "model_type": "llama"},
     "r": 3, "lora_alpha": 5, "use_rslora": False, "targets": ["all-linear"]},
    {"name": "qwen2, two layers, rank-stabilised",
     "config": {**BASE, "model_type": "qwen2", "head_dim": 4, "tie_word_embeddings": True},
     "r": 2, "lora_alpha": 3, "use_rslora": True, "targets": ["q_proj", "v_proj"]},
    {"name": "qwen3, feed-forward and one attention",
     "config": {**BASE, "model_type": "qwen3"},
     "r": 4, "lora_alpha": 4, "use_rslora": False,
     "targets": ["layers.1.self_attn.o_proj", "gate_proj", "down_proj"]},
]
PROMPT = [5, 1, 30, 7, 7, 12, 0, 19, 3, 22, 36, 8, 4, 9, 2, 11, 6, 28]
COMPLETIONS = [[3, 14, 15, 9, 2, 6], [27, 18, 28, 1, 8], [31]]


def value(tensor: int, element: int) -> float:
    """A number in [-1, 1) that 32-bit arithmetic gives (the finaliser of MurmurHash3)."""
    x = (element * 2654435761 + (tensor + 1) * 40503 * 65537) & 0xFFFFFFFF
    x = ((x ^ (x >> 16)) * 2246822507) & 0xFFFFFFFF
    x = ((x ^ (x >> 13)) * 3266489909) & 0xFFFFFFFF
    return (x ^ (x >> 16)) / 2**31 - 1


def fill(name: str, place: int, parameter: torch.nn.Parameter) -> None:
    numbers = torch.tensor(
        [value(place, i) for i in range(parameter.numel())], dtype=torch.float64)
    if name.endswith("norm.weight"):
        numbers = 1 + 0.2 * numbers
    elif parameter.dim() == 1:
        numbers = 0.3 * numbers
    else:
        numbers = numbers * (2 / math.sqrt(parameter.shape[1]))
    # The test's weights are float32; the arithmetic on them is float64.
    parameter.data.copy_(numbers.to(torch.float32).to(torch.float64).reshape(parameter.shape))


def statistics(model, completion):
    tokens = torch.tensor([PROMPT + completion])
    logits = model(tokens).logits[0, len(PROMPT) - 1:-1]
    log_p = torch.log_softmax(logits, dim=-1)
    chosen = log_p[torch.arange(len(completion)), torch.tensor(completion)]
    return chosen, -(log_p.exp() * log_p).sum(-1)


def log_probabilities(model):
    with torch.no_grad():
        return [statistics(model, c)[0].tolist() for c in COMPLETIONS]


def run(case):
    config = AutoConfig.for_model(**case["config"])
    model = AutoModelForCausalLM.from_config(
        config, dtype=torch.float64, attn_implementation="eager")
    targets = case["targets"]
    peft = get_peft_model(model, LoraConfig(
        r=case["r"], lora_alpha=case["lora_alpha"], use_rslora=case["use_rslora"],
        target_modules=targets[0] if targets == ["all-linear"] else targets,
        task_type="CAUSAL_LM")).to(torch.float64)
    # The names of the files: base tensors as without PEFT, adapters with PEFT's prefix.
    named = {}
    for name, parameter in peft.named_parameters():
        if ".lora_" in name:
            named[name.replace(".default", "")] = parameter
        else:
            named[name.removeprefix("base_model.model.").replace(".base_layer", "")] = parameter
    for place, name in enumerate(sorted(named)):
        fill(name, place, named[name])
    adapters = {n: p for n, p in named.items() if ".lora_" in n}
    loss, place = 0.0, 0
    for completion in COMPLETIONS:
        for log_p, entropy in zip(*statistics(peft, completion)):
            loss = loss + math.cos(place) * log_p + math.sin(place) / 2 * entropy
            place += 1
    loss.backward()
    result = dict(case)
    result["logprobs"] = log_probabilities(peft)
    with peft.disable_adapter():
        result["logprobs_without_adapter"] = log_probabilities(peft)
    result["gradients"] = {
        n: [float(f"{g:.9g}") for g in adapters[n].grad.flatten().tolist()]
        for n in sorted(adapters)}
    assert all(p.grad is None for n, p in named.items() if n not in adapters)
    result["logprobs_merged"] = log_probabilities(peft.merge_and_unload())
    return result


if __name__ == "__main__":
    out = {"source": "make_lora.py: torch 2.15.0, transformers 5.23.0, peft 0.21.2, float64",
           "prompt": PROMPT, "completions": COMPLETIONS, "cases": [run(c) for c in CASES]}
    path = pathlib.Path(__file__).with_name("lora.json")
    path.write_text(json.dumps(out, separators=(",", ":")) + "\n")
