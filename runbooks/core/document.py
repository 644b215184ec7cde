"""A JSON document that somebody else wrote: made safe to keep, and read without trusting its shape."""

import json
import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runbooks.core.redaction import redact
from runbooks.core.workflow import Edge, Node
from runbooks.errors import DefinitionError

DEEPEST = 100
"""Real definitions nest 10 to 20 levels; a deeper one is a mistake or an attack on recursive readers."""
MOST_BITS = 1024
"""A longer whole number is nobody's setting, and Python refuses to print a very long one."""
UNKNOWN_TYPE = "unknown"
"""Of a node that names none."""
EXAMPLES = 3
LONGEST_EXAMPLE = 60


@dataclass(frozen=True)
class Parts:
    """What a dialect's reader finds in a definition; field names are those of `Workflow`."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    trigger_type: str = ""
    trigger_config: dict[str, Any] = field(default_factory=dict)
    timeout_s: float | None = None
    node_timeout_s: float | None = None
    max_attempts: int | None = None


class Problems:
    """Oddities by kind, so that a thousand broken edges make one line."""

    def __init__(self) -> None:
        self._examples: dict[str, list[str]] = defaultdict(list)

    def add(self, kind: str, example: str = "") -> None:
        """Record one more case of a kind of problem."""
        self._examples[kind].append(example)

    def lines(self) -> tuple[str, ...]:
        """One line a kind, with a few examples, free of secrets, and the number of the others."""
        return tuple(
            _line(kind, [text for text in dict.fromkeys(found) if text]) for kind, found in self._examples.items()
        )


def _line(kind: str, examples: list[str]) -> str:
    if not examples:
        return kind
    shown = ", ".join(redact(text)[:LONGEST_EXAMPLE] for text in examples[:EXAMPLES])
    more = len(examples) - EXAMPLES
    return f"{kind}: {shown}" + (f" and {more} more" if more > 0 else "")


def cleaned(value: Any, depth: int = 0) -> Any:
    """A copy without what PostgreSQL and UTF-8 cannot hold: NUL, lone surrogates, NaN, infinity.

    Raises DefinitionError for a document that nests too deep or holds what JSON cannot express.
    """
    if isinstance(value, str):
        return clean_text(value)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if value.bit_length() <= MOST_BITS else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if depth >= DEEPEST:
        raise DefinitionError(f"nested deeper than {DEEPEST} levels")
    if isinstance(value, Mapping):
        return {clean_text(str(key)): cleaned(item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [cleaned(item, depth + 1) for item in value]
    raise DefinitionError(f"holds a value that JSON does not have: {type(value).__name__}")


def clean_text(text: str) -> str:
    """The text without NUL and lone surrogates."""
    if text.isascii():
        return text.replace("\0", "") if "\0" in text else text
    return text.replace("\0", "").encode("utf-8", "ignore").decode("utf-8")


def decoded(value: Any) -> Any:
    """The value of a JSON document inside a string, as dumps of a database hold it; anything else as it is."""
    if not isinstance(value, str) or not value.lstrip().startswith(("[", "{")):
        return value
    try:
        return cleaned(json.loads(value, strict=False))
    except (ValueError, RecursionError):
        return value


def as_object(value: Any) -> dict[str, Any]:
    """The value when it is an object, an empty one otherwise: PHP writes an empty object as `[]`."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str:
    """A string stripped, a whole number in digits, everything else empty."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 10**15 else str(value)


def first_text(*values: Any) -> str:
    """The first that is a text with something in it."""
    return next((text for text in map(as_text, values) if text), "")


def as_number(value: Any) -> float | None:
    """A number, also when it was written as a string; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def as_seconds(value: Any, per_second: float = 1) -> float | None:
    """A time limit in seconds; zero and negative ones mean that there is none."""
    number = as_number(value)
    return number / per_second if number is not None and number > 0 else None


def as_attempts(value: Any) -> int | None:
    """A number of calls, at least one; None when nothing readable was given."""
    number = as_number(value)
    return max(1, int(number)) if number is not None and number < 10**6 else None


def is_on(value: Any) -> bool:
    """Whether a switch is on, also when it was written as a string or number."""
    return value is True or value == 1 or (isinstance(value, str) and value.strip().lower() in ("true", "1", "yes"))
