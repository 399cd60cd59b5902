#!/usr/bin/env python3
"""trl.py PATH/TO/grpo [CASES [SETTINGS]]: TRL 1.16's objective in numpy, against `grpo objective --like trl`.

Random cases (groups of 2 to 64, up to three rewards with unscorable ones, reward weights, masks, another sampler's
log-probabilities), each under random settings of every loss type. Advantages and loss are compared as numbers, gradients
along a random direction, by a complex step: f(x + ih)/h has no cancellation. Where TRL rounds to float32 on float64 inputs
(reward weights, Bessel's factor, SAPO's temperatures, the entropies' quantile), so does this.
"""
import json
import os
import subprocess
import sys
import tempfile

import numpy as np

GRPO = sys.argv[1]
CASES, SETTINGS = (int(text) for text in (sys.argv[2:] + ["30", "64"][len(sys.argv) - 2:])[:2])
STEP = 1e-30
rng = np.random.default_rng(14)


def float32(x):
    return float(np.float32(x))


# Advantages (TRL.md section 4)


def nan_mean(x):
    return np.nan if np.isnan(x).all() else np.nanmean(x)


def nan_deviation(x):
    x = x[~np.isnan(x)]
    if len(x) < 2:
        return np.nan
    return np.sqrt(np.mean((x - x.mean()) ** 2) * float32(len(x) / (len(x) - 1)))


def weighted_sum(table, weights):
    return np.where(np.isnan(table).all(1), np.nan, np.nansum(weights * table, 1))


def advantages(rewards, weights, size, config):
    groups = [slice(start, start + size) for start in range(0, len(rewards), size)]
    if config.get("multi_objective_aggregation") == "normalize_then_sum":
        scores = np.full_like(rewards, np.nan)
        for group in groups:
            for k in range(rewards.shape[1]):
                column = rewards[group, k]
                scores[group, k] = (column - nan_mean(column)) / (nan_deviation(column) + 1e-4)
        total = np.where(np.isnan(rewards).all(1), np.nan, np.nansum(weights * scores, 1))
        result = (total - nan_mean(total)) / (nan_deviation(total) + 1e-4)
    else:
        total = weighted_sum(rewards, weights)
        result = np.full(len(rewards), np.nan)
        scale = config.get("scale_rewards", "group")
        for group in groups:
            result[group] = total[group] - nan_mean(total[group])
            if scale != "none":
                result[group] /= nan_deviation(total[group] if scale == "group" else total) + 1e-4
    return np.where(np.isnan(result), 0, result)


# Loss (sections 6 and 7); complex numbers carry the derivative, conditions look at their real part


def stopped(x):
    return x.real + 0j


def least(a, b):
    return np.where(a.real <= b.real, a, b)


def clipped(x, low, high):
    return np.where(x.real < low, low + 0j, np.where(x.real > high, high + 0j, x))


def quantile(values, share):
    """torch.quantile of float32 numbers; torch.lerp has a form that is exact at either end."""
    values = np.sort(values.astype(np.float32))
    rank = np.float32(share) * np.float32(len(values) - 1)
    below = int(rank)
    weight = np.float32(rank - np.float32(below))
    low, high = values[below], values[min(below + 1, len(values) - 1)]
    return float(low + weight * (high - low) if weight < 0.5 else high - (high - low) * (np.float32(1) - weight))


def sampler_weights(case, config, rows, mask):
    """The correction for another engine's sampling, [B][T]; None where there is none."""
    if case["sampler"] is None or not config.get("importance_sampling_correction", True):
        return None
    mode = config.get("importance_sampling_mode", "sequence_mask")
    difference = (case["old"][rows] - case["sampler"][rows]) * mask
    if mode.startswith("sequence"):
        difference = difference.sum(1, keepdims=True) * np.ones_like(difference)
    weights = np.exp(difference)
    high = config.get("importance_sampling_clip_max", 3.0)
    low = config.get("importance_sampling_clip_min", -np.inf)
    if mode.endswith("truncate"):
        return np.clip(weights, low, high)
    return np.where((weights > high) | (weights < low), 0, weights)


def vespo_weight(config, log_ratio, mask, advantage, correction):
    total = (np.clip(log_ratio.real, -20, 20) * mask).sum(1, keepdims=True)
    if correction is not None:
        logs = np.clip(np.log(np.where(correction > 0, correction, 1e-300)), np.log(1e-8), 20)
        is_sequence = config.get("importance_sampling_mode", "sequence_mask").startswith("sequence")
        total = total + (logs[:, :1] if is_sequence else (logs * mask).sum(1, keepdims=True))
    total = np.clip(total, np.log(1e-8), 20)
    power = np.where(advantage >= 0, 2.0, 3.0)
    decay = np.where(advantage >= 0, 3.0, 2.0)
    weight = np.exp(decay + power * total - decay * np.exp(total))
    return np.where(np.isfinite(weight), weight, 0)


def surrogate(config, policy, ratio, log_ratio, mask, advantage, correction):
    low = config.get("epsilon", 0.2)
    high = config.get("epsilon_high", low)
    kind = config["loss_type"]
    if kind == "cispo":
        return -stopped(least(ratio, high + 0j * ratio)) * advantage * policy
    if kind == "sapo":
        temperature = np.where(
            advantage > 0, float32(config.get("sapo_temperature_pos", 1.0)),
            float32(config.get("sapo_temperature_neg", 1.05)))
        return -advantage / (1 + np.exp(-temperature * (ratio - 1))) * 4 / temperature
    if kind == "vespo":
        return -vespo_weight(config, log_ratio, mask, advantage, correction) * advantage * policy
    capped = least(ratio, config["delta"] + 0j * ratio) if "delta" in config else ratio
    return -least(capped * advantage, clipped(ratio, 1 - low, 1 + high) * advantage)


def loss(case, config, policies, entropies, all_advantages):
    """The sum of the micro-batches' losses; policies and entropies are complex, [B][T]."""
    count = config.get("gradient_accumulation_steps", 1)
    masks = case["mask"].copy()
    if config.get("mask_truncated_completions"):
        masks[~case["terminated"]] = 0
    kind, total = config["loss_type"], 0
    size = len(policies) // count
    for start in range(0, len(policies), size):
        rows = slice(start, start + size)
        policy, old, mask, entropy = policies[rows], case["old"][rows], masks[rows], entropies[rows]
        advantage = all_advantages[rows][:, None]
        lengths = np.maximum(mask.sum(1, keepdims=True), 1)
        log_ratio = policy - old
        ratio = np.exp(log_ratio)
        if config["importance_sampling_level"] == "sequence":
            ratio = np.exp((log_ratio * mask).sum(1, keepdims=True) / lengths) * np.ones_like(policy)
        correction = sampler_weights(case, config, rows, mask)
        term = surrogate(config, policy, ratio, log_ratio, mask, advantage, correction)
        if "off_policy_mask_threshold" in config:
            behaviour = old if case["sampler"] is None else case["sampler"][rows]
            distance = ((behaviour - policy).real * mask).sum(1, keepdims=True) / lengths
            term = term * ((advantage >= 0) | (distance <= config["off_policy_mask_threshold"]))
        kept = np.ones_like(mask)
        if "top_entropy_quantile" in config and mask.any():
            threshold = quantile(entropy.real[mask > 0], 1 - config["top_entropy_quantile"])
            kept = (entropy.real >= threshold) * 1.0
            term = term * kept
        if correction is not None and kind != "vespo":
            term = term * correction
        if "beta" in config:
            x = case["reference"][rows] - policy
            divergence = np.exp(x) - x - 1
            term = term + config["beta"] * divergence * (ratio if config.get("use_bias_correction_kl", True) else 1)
        term = term * mask
        if kind in ("grpo", "sapo"):
            total += (term.sum(1, keepdims=True) / lengths).sum() / size / count
        elif kind == "bnpo":
            total += term.sum() / max(mask.sum(), 1) / count
        elif kind == "dr_grpo":
            total += term.sum() / (size * config["max_completion_length"]) / count
        elif kind == "luspo":
            total += term.sum() / size / count
        else:
            total += term.sum() / max(masks.sum(), 1)
        if "entropy_coef" in config:
            bonus = mask * kept
            total -= config["entropy_coef"] * (entropy * bonus).sum() / max(bonus.sum(), 1) / count
    return total


# Random cases and settings


def pick(*choices):
    return choices[rng.integers(len(choices))]


def random_config(rows, length, rewards, has_sampler):
    config = {
        "max_completion_length": length, "importance_sampling_level": pick("token", "sequence"),
        "loss_type": pick("grpo", "bnpo", "dr_grpo", "dapo", "cispo", "sapo", "luspo", "vespo"),
    }

    def maybe(probability, **values):
        if rng.random() < probability:
            config.update(values)

    maybe(0.5, beta=pick(0.04, 0.3))
    maybe(0.3, use_bias_correction_kl=False)
    if rewards > 1 and rng.random() < 0.3:
        config["multi_objective_aggregation"] = "normalize_then_sum"
    else:
        maybe(0.4, scale_rewards=pick("batch", "none"))
    maybe(0.4, epsilon=pick(0.05, 0.1, 0.3), epsilon_high=pick(0.28, 0.4, 5.0))
    if config["loss_type"] in ("grpo", "bnpo", "dr_grpo", "dapo", "luspo"):
        maybe(0.3, delta=pick(1.3, 2.0))
    maybe(0.3, mask_truncated_completions=True)
    maybe(0.3, top_entropy_quantile=pick(0.2, 0.5, 0.8))
    maybe(0.3, entropy_coef=0.01)
    maybe(0.3, off_policy_mask_threshold=pick(0.0, 0.05, 0.2))
    if rows % 2 == 0:
        maybe(0.3, gradient_accumulation_steps=2)
    if config["loss_type"] == "sapo":
        maybe(0.5, sapo_temperature_pos=1.1, sapo_temperature_neg=1.3)
    if has_sampler:
        if rng.random() < 0.2:
            config["importance_sampling_correction"] = False
        else:
            config["importance_sampling_mode"] = pick(
                "token_truncate", "token_mask", "sequence_truncate", "sequence_mask")
            maybe(0.5, importance_sampling_clip_max=pick(1.05, 1.5), importance_sampling_clip_min=pick(0.5, 0.9))
    return config


def random_case(number):
    size = int(pick(2, 3, 4, 8, 16, 64))
    rows = size * (1 if size == 64 else int(pick(1, 2, 4)))
    length, rewards = int(rng.integers(2, 9)), int(rng.integers(1, 4))

    def near(table, spread):
        return np.round(table + rng.normal(0, spread, (rows, length)), 6)

    policy = np.round(-rng.exponential(1.5, (rows, length)), 6)
    old = near(policy, 0.3)
    ends = rng.integers(1, length + 1, rows)
    table = np.round(rng.normal(0, 1, (rows, rewards)), 0 if number % 4 == 1 else 3)
    if number % 2:
        table[rng.random((rows, rewards)) < 0.2] = np.nan
    return {
        "size": size, "policy": policy, "old": old, "reference": near(policy, 0.3),
        "sampler": near(old, 0.1) if number % 3 else None,
        "entropies": np.round(rng.exponential(1, (rows, length)), 6),
        "mask": (np.arange(length)[None] < ends[:, None]) * 1.0, "terminated": rng.random(rows) < 0.8,
        "rewards": table, "weights": np.round(rng.uniform(0.05, 2, rewards), 2) if number % 3 != 1 else None,
    }


def answers(case, configs):
    names = [f"r{k}" for k in range(case["rewards"].shape[1])]
    body = {
        "num_generations": case["size"], "policy_logps": case["policy"].tolist(), "old_logps": case["old"].tolist(),
        "ref_logps": case["reference"].tolist(), "entropies": case["entropies"].tolist(),
        "mask": case["mask"].astype(int).tolist(), "terminated": case["terminated"].tolist(), "configs": configs,
        "rewards": {
            name: [None if np.isnan(value) else value for value in column.tolist()]
            for name, column in zip(names, case["rewards"].T)},
    }
    if case["sampler"] is not None:
        body["sampling_logps"] = case["sampler"].tolist()
    if case["weights"] is not None:
        body["reward_weights"] = dict(zip(names, case["weights"].tolist()))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "case.json")
        with open(path, "w") as file:
            json.dump(body, file)
        ended = subprocess.run([GRPO, "objective", "--like", "trl", path], capture_output=True, text=True)
    if ended.returncode:
        sys.exit(ended.stderr)
    return json.loads(ended.stdout)["results"]


def main():
    worst, count = {"advantages": 0.0, "loss": 0.0, "gradient": 0.0}, 0
    for number in range(CASES):
        case = random_case(number)
        rows, length = case["policy"].shape
        weights = np.array([1.0] * case["rewards"].shape[1] if case["weights"] is None else [float32(w) for w in case["weights"]])
        configs = [
            random_config(rows, length, case["rewards"].shape[1], case["sampler"] is not None) for _ in range(SETTINGS)]
        along, along_entropies = rng.normal(0, 1, (2, rows, length))
        for config, answer in zip(configs, answers(case, configs), strict=True):
            expected = advantages(case["rewards"], weights, case["size"], config)
            has_bonus = "entropy_coef" in config
            value = loss(
                case, config, case["policy"] + 1j * STEP * along,
                case["entropies"] + 1j * STEP * along_entropies * has_bonus, expected)
            gradient = (np.array(answer["grad_policy_logps"]) * along).sum()
            if has_bonus:
                gradient += (np.array(answer["grad_entropies"]) * along_entropies).sum()
            for name, ours, theirs in [
                ("advantages", np.array(answer["advantages"]), expected), ("loss", answer["loss"], value.real),
                ("gradient", gradient, value.imag / STEP),
            ]:
                far = float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))))
                worst[name] = max(worst[name], far)
                if not far <= 1e-12:
                    print(f"case {number}: {name} differ by {far:.1e} under {config}")
            count += 1
    print(f"{count} settings; greatest differences: " + ", ".join(f"{name} {far:.1e}" for name, far in worst.items()))
    sys.exit(any(not far <= 1e-12 for far in worst.values()))


main()
