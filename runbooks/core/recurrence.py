"""Whether a failure is new: how often the same came before, and how long it took then. In sentences, by code."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from runbooks.core.classifier import Classifier, ErrorFacts
from runbooks.core.failed_execution import EarlierFailure, Failure, error_of_earlier
from runbooks.core.failure_classes import FailureClass
from runbooks.core.phrases import words
from runbooks.core.workflow import Frozen

WEEK = timedelta(days=7)
ORDINALS = ("", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


class Recurrence(Frozen):
    """Earlier failures of the same kind at the same node.

    An incident is a row of failed executions with no completed one in between.
    """

    executions: int = 0
    """Earlier failed executions of this kind in the window."""
    at_least: bool = False
    """Whether there may be more of them than were looked at."""
    others: int = 0
    """Those that failed at the node in another way."""
    ongoing_since: datetime | None = None
    """When the incident began that this execution is part of, if an earlier one was; of whatever kind that was."""
    ongoing: int = 0
    """Earlier failed executions of this incident at this node."""
    incidents: int = 0
    """Earlier incidents of this kind in the window."""
    incidents_of_week: int = 0
    last_at: datetime | None = None
    """When the latest of those earlier incidents began."""
    last_took: timedelta | None = None
    """How long that one took, from its first failed execution to the next completed one."""
    window_days: int = 30


def recurrence(failure: Failure, error: ErrorFacts, failure_class: FailureClass, classifier: Classifier) -> Recurrence:
    """Count what came before. Errors of unknown class are the same when their words are."""
    similar = [one for one in failure.earlier if _is_similar(one, error, failure_class, classifier)]
    current = [one for one in failure.earlier if one.recovered_at is None]
    past: dict[datetime, EarlierFailure] = {}
    for one in similar:
        if one.recovered_at is not None:
            past.setdefault(one.recovered_at, one)
    last = past[max(past)] if past else None
    return Recurrence(
        executions=len(similar),
        at_least=failure.earlier_cut,
        others=len(failure.earlier) - len(similar),
        ongoing_since=min((one.began_at for one in current), default=None),
        ongoing=len(current),
        incidents=len(past),
        incidents_of_week=sum(one.at > failure.execution.failed_at - WEEK for one in past.values()),
        last_at=last.began_at if last else None,
        last_took=last.recovered_at - last.began_at if last and last.recovered_at else None,
        window_days=failure.window_days,
    )


def recurrence_sentences(found: Recurrence, node: str) -> tuple[str, ...]:
    """Say it, each figure with its window."""
    sentences = [_ongoing(found)] if found.ongoing and found.ongoing_since else []
    if found.incidents_of_week:
        sentences.append(
            f"{_ordinal(found.incidents_of_week + 1, found)} time in 7 days that node {node} fails this way."
        )
    elif found.incidents:
        sentences.append(
            f"{_ordinal(found.incidents + 1, found)} time in {found.window_days} days that node {node} fails this way."
        )
    elif not found.ongoing:
        sentences.append(f"No failure of this kind at node {node} in the {found.window_days} days before.")
    if found.last_at is not None and found.last_took is not None:
        sentences.append(
            f"Last time, on {found.last_at:%Y-%m-%d %H:%M} UTC, it took {duration_words(found.last_took)} until an "
            "execution completed again."
        )
    if found.executions > max(found.ongoing, found.incidents_of_week or found.incidents):
        least = "at least " if found.at_least else ""
        sentences.append(
            f"In all {least}{found.executions:,} earlier executions failed this way in {found.window_days} days."
        )
    if found.others:
        many = f"{found.others:,} earlier executions" if found.others > 1 else "One earlier execution"
        sentences.append(f"{many} failed at this node in another way.")
    return tuple(sentences)


def duration_words(duration: timedelta) -> str:
    """`40 minutes`, `3 hours`, `2 days`: as exact as one speaks."""
    seconds = duration.total_seconds()
    for unit, size, from_size in (("day", 86400, 172800), ("hour", 3600, 10800), ("minute", 60, 120)):
        if seconds >= from_size:
            return f"{round(seconds / size)} {unit}s"
    return f"{round(seconds)} seconds"


def _ongoing(found: Recurrence) -> str:
    many = "one earlier execution has" if found.ongoing == 1 else f"{found.ongoing:,} earlier executions have"
    return (
        f"It has been going on since {found.ongoing_since:%Y-%m-%d %H:%M} UTC: {many} failed at this node since then, "
        "and none has completed."
    )


def _ordinal(number: int, found: Recurrence) -> str:
    if found.at_least:
        return f"At least the {_th(number)}"
    return ORDINALS[number].capitalize() if number < len(ORDINALS) else _th(number)


def _th(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{suffix}"


def _is_similar(
    earlier: EarlierFailure, error: ErrorFacts, failure_class: FailureClass, classifier: Classifier
) -> bool:
    past = error_of_earlier(earlier, error.service)
    if classifier.classify(past) is not failure_class:
        return False
    return failure_class is not FailureClass.UNKNOWN or _shape(past.message) == _shape(error.message)


def _shape(message: str | None) -> Sequence[str]:
    """The words of a message without what differs from call to call."""
    return [word for word in words(message or "").split() if not any(char.isdigit() for char in word)][:30]
