"""Reward functions as TRL takes them, unchanged:

    grpo train --reward Rewards/trl-functions/rewards.py:accuracy --reward Rewards/trl-functions/rewards.py:brevity=0.1
"""


def accuracy(prompts, completions, answer, **kwargs):
    """1.0 where the completion ends with the column `answer`; None where the row has none."""
    return [
        None if right is None else float(text_of(completion).strip().endswith(str(right)))
        for completion, right in zip(completions, answer)
    ]


async def brevity(completions, completion_ids, log_metric=None, **kwargs):
    """1 at no tokens, 0 at 256."""
    lengths = [len(ids) for ids in completion_ids]
    if log_metric:
        log_metric("tokens", sum(lengths) / len(lengths))
    return [max(0.0, 1 - length / 256) for length in lengths]


def text_of(completion):
    """The text of a completion, which is a list of messages where the prompt is one."""
    return completion if isinstance(completion, str) else completion[-1]["content"]
