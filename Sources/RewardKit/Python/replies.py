"""What becomes of a function's answers: replies of the line protocol, equal in equal runs."""

import math
import re
import sys
import traceback


def reply(request, score):
    """The reply to a request, of a number, None, or a dict with a score and whatever is to be kept."""
    answer = {"id": request["id"]}
    parts, log, reason = {}, {}, None
    if isinstance(score, dict):
        if "score" not in score:
            return {**answer, "error": f"the function returned a dict without 'score': {shown(score)}"}
        for key, value in score.items():
            measured = number(value)
            if key == "reason" and isinstance(value, str):
                reason = value
            elif measured is not None and math.isfinite(measured):
                parts[str(key)] = measured
            else:
                log[str(key)] = plain(value)
        parts.pop("score", None), log.pop("score", None)
        score = score["score"]
    if score is None:
        return {**answer, "unscorable": reason or "the function returned None"}
    value = number(score)
    if value is None:
        return {**answer, "error": f"the function returned {shown(score)}, which is not a number"}
    if math.isnan(value):
        return {**answer, "unscorable": reason or "the function returned NaN"}
    if math.isinf(value):
        return {**answer, "error": "the function returned an infinite score"}
    answer["score"] = value
    for key, found in (("parts", parts), ("log", log), ("reason", reason)):
        if found:
            answer[key] = found
    return answer


def failures(requests, error):
    """The same error for each request; the traceback goes to standard error."""
    traceback.print_exception(type(error), error, error.__traceback__, file=sys.stderr)
    text = "".join(traceback.format_exception_only(type(error), error)).strip()
    text = without_addresses(text if len(text) <= 2000 else text[:2000] + "…")
    return [{"id": request["id"], "error": text} for request in requests]


def number(value):
    """A float of whatever acts as one (numpy and torch scalars too); None where it is not a number."""
    if isinstance(value, (str, bytes, bytearray)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def plain(value):
    """A value that JSON can hold; integers exactly, whatever their type."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, dict):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(member) for member in value]
    try:
        whole = value.__index__()
        return whole if whole.bit_length() < 14_000 else hex(whole)
    except (AttributeError, TypeError, ValueError):
        pass
    converted = number(value)
    if converted is not None:
        return converted if math.isfinite(converted) else str(converted)
    if isinstance(value, (set, frozenset)):
        return sorted((plain(member) for member in value), key=repr)
    return without_addresses(str(value))


def shown(value):
    text = without_addresses(repr(value))
    return text if len(text) <= 200 else text[:199] + "…"


def without_addresses(text):
    """A text that is equal in equal runs: objects print where they happened to lie."""
    return re.sub(r"\b0x[0-9a-fA-F]{6,}", "0x…", re.sub(r" at 0x[0-9a-fA-F]{6,}", "", text))
