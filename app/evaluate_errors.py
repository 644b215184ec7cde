"""`runbooks evaluate errors FILE`: the classifier against errors whose class a person has told."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.table import Table

from app.console import results, say
from runbooks.bootstrap import open_classifier
from runbooks.core.classifier import ErrorFacts
from runbooks.core.error_score import LabelledError, Score, score
from runbooks.core.failure_classes import FailureClass
from runbooks.errors import SettingsError

SHOWN_MISSES = 20
SHOWN_TEXT = 100
INPUT_FIELDS = ("service", "status", "status_code", "error_code", "message")


def run_evaluate_errors(file: Path) -> int:
    """Print accuracy, confusion and the worst misses; lines that are no case are reported, the rest counts."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SettingsError(f"{file}: {reason}; name a file of JSON lines") from error
    errors: list[LabelledError] = []
    bad = 0
    for number, line in _lines(text):
        try:
            errors.append(_case(line, number))
        except ValueError as reason:
            say(f"runbooks: {file}:{number}: {reason}")
            bad += 1
    if not errors:
        raise SettingsError(f'{file}: no case in it; a line is {{"category": "timeout", "message": "…", …}}')
    _print(score(open_classifier(), errors))
    return 1 if bad else 0


def _lines(text: str) -> Iterator[tuple[int, str]]:
    # Not splitlines: a message may hold the other characters that end a line in Unicode.
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line


def _case(line: str, number: int) -> LabelledError:
    """One line as a case; raise ValueError with the reason when it is none."""
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("no readable JSON") from None
    if not isinstance(given, dict):
        raise ValueError("no JSON object")  # noqa: TRY004 - the line is a bad value, whatever its type
    if given.get("category") is None:
        raise ValueError("`category` is missing: the failure class that is right")
    return LabelledError(
        line=number,
        facts=ErrorFacts(**{name: given.get(name) for name in INPUT_FIELDS}),
        expected=_failure_class(given["category"]),
        alternative=None if given.get("alt_category") is None else _failure_class(given["alt_category"]),
    )


def _failure_class(name: Any) -> FailureClass:
    try:
        return FailureClass(name)
    except ValueError:
        raise ValueError(f"{name!r} is no failure class; there are {', '.join(FailureClass)}") from None


def _print(result: Score) -> None:
    console = results()
    told = result.accuracy_of_told
    unknown = len(result.judged) - len(result.told)
    console.print(f"{len(result.judged)} errors, {result.accuracy:.1%} right")
    console.print(
        f"{unknown} called unknown; of the others {told:.1%} right" if told is not None else "all called unknown"
    )
    console.print(_confusion(result))
    misses = result.misses
    if misses:
        console.print(f"{len(misses)} misses" + (f", the first {SHOWN_MISSES}" if len(misses) > SHOWN_MISSES else ""))
    for case in misses[:SHOWN_MISSES]:
        text = " ".join(str(case.error.facts.message or case.error.facts.error_code or "").split())[:SHOWN_TEXT]
        console.print(
            f"line {case.error.line}: {case.error.expected} was called {case.found.failure_class}"
            f" by {case.found.rule}: {text}",
            markup=False,
        )


def _confusion(result: Score) -> Table:
    """A row for each expected class: how many, how many right, and what else they were called."""
    table = Table("class", "errors", "right", "called something else", box=None, pad_edge=False)
    for expected in FailureClass:
        found = {other: count for (label, other), count in result.confusion.items() if label is expected}
        if not found:
            continue
        others = sorted((other for other in found if other is not expected), key=lambda other: (-found[other], other))
        table.add_row(
            str(expected),
            str(sum(found.values())),
            str(found.get(expected, 0)),
            ", ".join(f"{other} {found[other]}" for other in others),
        )
    return table
