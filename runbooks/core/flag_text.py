"""Flags and time patterns in sentences."""

from runbooks.core.flags import Flag
from runbooks.core.reliability import FailureGroup, Reliability


def flag_sentences(reliability: Reliability) -> list[str]:
    """The flags by name, and what each means for who has to act; what other sentences say is not said again."""
    if not reliability.flags:
        return []
    explained = [text for flag in reliability.flags if (text := _explained(flag, reliability))]
    return [f"Flagged as {_listed([flag.value for flag in reliability.flags])}.", *explained]


def pattern_sentence(group: FailureGroup, words: str) -> str:
    """`Most rate limits (12 of 15) fall on Mondays 09:00 to 10:00 UTC, …`, or nothing where they have no pattern."""
    pattern = group.pattern
    if pattern is None:
        return ""
    return (
        f"Most {words} ({pattern.failures:,} of {pattern.of:,}) come {pattern.words}, on {pattern.dates} different "
        f"days; {_share(pattern.calls_share)} of the calls are made then."
    )


def _explained(flag: Flag, reliability: Reliability) -> str:
    if flag is Flag.FAILING:
        return "Failing: of the latest, a tenth or more fail, and that is no chance."
    if flag is Flag.FLAPPING:
        return (
            f"Flapping: {reliability.outages} outages with hours between them in which it worked, "
            "so that it works again does not mean that it is mended."
        )
    if flag is Flag.SILENT and reliability.last_at:
        return (
            f"Silent: nothing since {reliability.last_at:%Y-%m-%d %H:%M} UTC, more than twice its longest pause "
            "before; see whether the workflow still starts."
        )
    if flag is Flag.NEW and reliability.first_at:
        return f"New: the first was on {reliability.first_at:%Y-%m-%d}, so the figures rest on few days."
    return ""  # the trend and the 95th percentile have sentences of their own


def _share(share: float) -> str:
    percent = 100 * share
    return f"{percent:.1f}%" if percent < 10 else f"{percent:.0f}%"


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
