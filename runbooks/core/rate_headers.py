"""What a server says of its limits in the headers of an answer, in the ways that servers write it."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum

_COMMON = re.compile(r"(?:x-)?ratelimit-(limit|remaining|reset)(?:-([a-z_-]+))?\Z")
_ANTHROPIC = re.compile(r"anthropic-ratelimit-([a-z-]+)-(limit|remaining|reset)\Z")
_ITEM = re.compile(r"\s*(\"[^\"]*\"|[\w*.:-]+)((?:\s*;\s*[a-z]+=(?:\"[^\"]*\"|[^;,\s]*))*)\s*(?:,|\Z)")
_PARAMETER = re.compile(r";\s*([a-z]+)=\"?([^;,\"]*)")
_MEMBER = re.compile(r"(limit|remaining|reset)=(\d+)")
_PART_OF_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
SECONDS_OF_UNIT = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
POLICY = "policy "
"""Before the name of a budget that the server named itself, whatever its name says."""
A_MOMENT, A_MOMENT_IN_MS = 1e8, 1e11
"""From here on a number is no span of seconds but a time since 1970."""


class Unit(StrEnum):
    """What a budget counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    INPUT_TOKENS = "input-tokens"
    OUTPUT_TOKENS = "output-tokens"


@dataclass(frozen=True)
class Left:
    """What is left of one budget until it is reset."""

    name: str
    unit: Unit
    left: float
    resets_in_s: float
    full: float | None = None
    """The whole budget, where it is told."""


def what_is_left(headers: Mapping[str, str], *, now: float) -> list[Left]:
    """The budgets that an answer tells of; nonsense counts as nothing. `now`: seconds since 1970."""
    told: dict[str, dict[str, str]] = {}
    for name, value in headers.items():
        if "ratelimit" not in name.lower():
            continue
        for budget, what, said in _told(name.lower(), value):
            told.setdefault(budget, {})[what] = said
    return [found for budget, said in told.items() if (found := _left(budget, said, now))]


def pause_asked_for(headers: Mapping[str, str], *, now: float, longest_reset_s: float) -> float | None:
    """Seconds that a refusal asks to wait: by Retry-After, else until limits are reset that are so soon."""
    given = headers.get("retry-after", "")
    if given:
        return seconds_until(given, now=now)
    resets = [seconds_until(value, now=now) for name, value in headers.items() if "ratelimit-reset" in name.lower()]
    return max((reset for reset in resets if reset is not None and reset <= longest_reset_s), default=None)


def seconds_until(text: str, *, now: float) -> float | None:
    """Seconds from now: `1s`, `6m0s`, `120ms`, a number of seconds, or a moment in any of the usual forms."""
    text = text.strip()
    try:
        return _from_number(float(text), now)
    except ValueError:
        pass
    parts = _PART_OF_DURATION.findall(text)
    if parts and "".join(number + unit for number, unit in parts) == text:
        return sum(float(number) * SECONDS_OF_UNIT[unit] for number, unit in parts)
    moment = _moment(text)
    return max(0.0, moment.timestamp() - now) if moment else None


def _told(name: str, value: str) -> Iterator[tuple[str, str, str]]:
    """Budget, what is said of it, and what that is."""
    if match := _COMMON.match(name):
        yield match[2] or "requests", match[1], value
    elif match := _ANTHROPIC.match(name):
        yield match[1], match[2], value
    elif name == "ratelimit" and (members := _MEMBER.findall(value)):  # an earlier draft
        yield from (("requests", what, said) for what, said in members)
    elif name == "ratelimit":
        yield from _items(value, {"r": "remaining", "t": "reset"})
    elif name == "ratelimit-policy":
        yield from _items(value, {"q": "limit", "qu": "unit"})


def _items(value: str, names: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """The items of a structured list such as `"burst";r=50;t=30, "daily";r=900;t=4000`."""
    for item, parameters in _ITEM.findall(value):
        found = _PARAMETER.findall(parameters)
        yield from ((f"{POLICY}{item}", names[name], said) for name, said in found if name in names)


def _left(budget: str, said: Mapping[str, str], now: float) -> Left | None:
    left, resets_in_s = _amount(said.get("remaining")), seconds_until(said.get("reset", ""), now=now)
    unit = _unit(said.get("unit") or ("requests" if budget.startswith(POLICY) else budget))
    if left is None or resets_in_s is None or unit is None:
        return None
    return Left(budget, unit, left, resets_in_s, _amount(said.get("limit")) or None)


def _unit(name: str) -> Unit | None:
    """`requests`, `tokens`, `input-tokens`, and what gateways make of them: `project-tokens`, `tokens_usage_based`."""
    if "tokens" in name:
        return Unit.INPUT_TOKENS if "input" in name else Unit.OUTPUT_TOKENS if "output" in name else Unit.TOKENS
    return Unit.REQUESTS if "requests" in name else None


def _amount(text: str | None) -> float | None:
    try:
        amount = float(text or "")
    except ValueError:
        return None
    return amount if 0 <= amount < math.inf else None


def _from_number(number: float, now: float) -> float | None:
    if not 0 <= number < math.inf:
        return None
    if number >= A_MOMENT_IN_MS:
        number /= 1000
    return max(0.0, number - now) if number >= A_MOMENT else number


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        try:
            found = parsedate_to_datetime(text)
        except ValueError:
            return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
