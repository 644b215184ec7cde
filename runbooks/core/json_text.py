"""JSON out of a model's answer: fences, thoughts, prose around it, raw line breaks in strings, a missing end."""

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json

LONGEST_TEXT = 400_000
PLACES_TRIED = 40
_THOUGHTS = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_CONTROL = dict.fromkeys(range(32), " ")
"""Between tokens a control character is a space; inside a string it is not allowed, yet models write it."""


@dataclass(frozen=True)
class FoundObject:
    """An object found in a text; `complete` is False when its end was missing and had to be made up."""

    value: dict[str, Any]
    complete: bool = True


def find_object(text: str, *, key: str) -> FoundObject | None:
    """Find the first object that has `key`; None when there is none."""
    plain = _THOUGHTS.sub("", text[:LONGEST_TEXT]).translate(_CONTROL)
    decoder = json.JSONDecoder()
    for match in list(re.finditer(r"\{", plain))[:PLACES_TRIED]:
        try:
            value = decoder.raw_decode(plain, match.start())[0]
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and key in value:
            return FoundObject(value)
    return _cut_short(plain, key)


def _cut_short(plain: str, key: str) -> FoundObject | None:
    start = plain.rfind("{", 0, max(plain.find(f'"{key}"'), 0))
    if start < 0:
        return None
    try:
        value = from_json(plain[start:].encode(errors="replace"), allow_partial=True)
    except ValueError:
        return None
    return FoundObject(value, complete=False) if isinstance(value, dict) and key in value else None
