"""`runbooks classify`: JSON lines in, JSON lines out."""

import json
import sys
from typing import Any

from runbooks.bootstrap import open_classifier
from runbooks.core.classifier import ErrorFacts


def run_classify(*, explain: bool) -> int:
    """Classify each line; a line that is no JSON object is reported and the rest goes on."""
    classifier = open_classifier()
    bad = 0
    for number, line in enumerate(sys.stdin, start=1):
        if not line.strip():
            continue
        given = _parsed(line)
        if given is None:
            print(f"runbooks: line {number} is no JSON object", file=sys.stderr)
            bad += 1
            continue
        found = classifier.explain(_facts(given))
        answer = {"id": given.get("id"), "failure_class": found.failure_class.value}
        print(json.dumps({**answer, "rule": found.rule, "phrase": found.phrase} if explain else answer))
    return 1 if bad else 0


def _parsed(line: str) -> dict[str, Any] | None:
    try:
        given = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return given if isinstance(given, dict) else None


def _facts(given: dict[str, Any]) -> ErrorFacts:
    return ErrorFacts(
        **{name: given.get(name) for name in ("service", "status", "status_code", "error_code", "message")}
    )
