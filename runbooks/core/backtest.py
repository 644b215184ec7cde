"""The back-test: the platform's own past failures held against its runbooks. A figure of quality that needs no readers.

A failure is found when the runbook of its workflow, asked as the person on call asks it, names a scenario of the
failure's class, or one that quotes the error where the class cannot be told. `matched` looks at the answer of
`matching.match`, `as_read` at the section from its top, as it is written. What fits only because it is for everything,
the last scenario of a runbook, finds nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import comb

from runbooks.core.backtest_report import BacktestReport, Chance, Controls, Reason, Slice, Uncovered
from runbooks.core.classifier import Classifier, ErrorFacts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.matching import Match, match
from runbooks.core.recall import FIRST_FEW, Recall
from runbooks.core.redaction import redact
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection
from runbooks.core.terms import tidy

MOST_UNCOVERED = 50
MOST_REMEMBERED = 50_000
"""Different uncovered failures that are counted at once; beyond that the rarest half is forgotten."""
LONGEST_MESSAGE = 200


@dataclass(frozen=True)
class PastCall:
    """Calls of one node that said the same, failed or not."""

    workflow_id: str
    node_key: str
    """Empty where the platform does not tell the node."""
    connector_key: str
    status: str | None = None
    status_code: int | None = None
    error_code: str | None = None
    message: str | None = None
    count: int = 1
    first_at: datetime | None = None
    last_at: datetime | None = None


@dataclass(frozen=True)
class Stored:
    """A runbook, and when it was written."""

    runbook: Runbook
    written_at: datetime


@dataclass(frozen=True)
class Outcome:
    """What a runbook has for one failure; places count from 1, None is nowhere."""

    failure_class: FailureClass
    service: str
    matched: int | None = None
    as_read: int | None = None
    scenarios: int = 0
    """In the section, and in the workflow's own where it has none."""
    fitting: int = 0
    """Those of them that are of the failure's class."""
    reason: Reason | None = None
    """Why `matched` is None."""


def replay(failure: PastCall, runbook: Runbook | None, classifier: Classifier) -> Outcome:
    """Ask a runbook about one failure."""
    section = _section(failure, runbook)
    service = section.integration if section else failure.connector_key
    error = _error(failure, service)
    if runbook is None:
        return Outcome(classifier.classify(error), service, reason=Reason.NO_RUNBOOK)
    found = match(runbook, section.node_key if section else failure.node_key, error, classifier)
    wanted = found.classification.failure_class
    scenarios = section.failure_scenarios if section else runbook.general
    places = [place for place, one in enumerate(scenarios, start=1) if _is_of(one, wanted)]
    matched = next((place for place, one in enumerate(found.matches, start=1) if _fits(one, wanted)), None)
    return Outcome(
        failure_class=wanted,
        service=service,
        matched=matched,
        as_read=places[0] if places else None,
        scenarios=len(scenarios),
        fitting=len(places),
        reason=None if matched else _reason(section, wanted),
    )


def is_claimed(call: PastCall, runbook: Runbook, classifier: Classifier) -> bool:
    """Whether a runbook has a scenario for a call that did not fail, which it should not."""
    section = _section(call, runbook)
    service = section.integration if section else call.connector_key
    found = match(runbook, section.node_key if section else call.node_key, _error(call, service), classifier)
    wanted = found.classification.failure_class
    return any(_fits(one, wanted) for one in found.matches)


@dataclass
class Tally:
    """Adds up outcomes in bounded memory."""

    matched: Recall = field(default_factory=Recall)
    matched_distinct: Recall = field(default_factory=Recall)
    as_read: Recall = field(default_factory=Recall)
    as_read_distinct: Recall = field(default_factory=Recall)
    unseen: Recall = field(default_factory=Recall)
    first_by_chance: float = 0.0
    few_by_chance: float = 0.0
    reasons: Counter[Reason] = field(default_factory=Counter)
    services: dict[str, Slice] = field(default_factory=dict)
    classes: dict[str, Slice] = field(default_factory=dict)
    controls: Controls = field(default_factory=Controls)
    _missed: Counter[tuple[object, ...]] = field(default_factory=Counter)
    _nodes: Counter[tuple[object, ...]] = field(default_factory=Counter)

    def add(self, failure: PastCall, stored: Stored | None, classifier: Classifier) -> None:
        """Replay one failure and count what came of it."""
        outcome = replay(failure, stored.runbook if stored else None, classifier)
        count = failure.count
        self.matched = self.matched.plus(outcome.matched, count)
        self.matched_distinct = self.matched_distinct.plus(outcome.matched, 1)
        self.as_read = self.as_read.plus(outcome.as_read, count)
        self.as_read_distinct = self.as_read_distinct.plus(outcome.as_read, 1)
        if stored and failure.first_at and failure.first_at > stored.written_at:
            self.unseen = self.unseen.plus(outcome.matched, count)
        first, few = _by_chance(outcome)
        self.first_by_chance += count * first
        self.few_by_chance += count * few
        _add(self.services, outcome.service, outcome.matched, count)
        _add(self.classes, outcome.failure_class.value, outcome.matched, count)
        if outcome.reason:
            self.reasons[outcome.reason] += count
            self._miss(failure, outcome)

    def add_control(self, call: PastCall, stored: Stored, classifier: Classifier) -> None:
        """Hold a call that succeeded against its runbook."""
        claimed = is_claimed(call, stored.runbook, classifier)
        self.controls = Controls(
            calls=self.controls.calls + call.count, claimed=self.controls.claimed + call.count * claimed
        )

    def report(self, *, taken_at: datetime, workspace_id: str | None, days: int) -> BacktestReport:
        """The figures so far."""
        failures = max(1, self.matched.failures)
        return BacktestReport(
            taken_at=taken_at,
            workspace_id=workspace_id,
            days=days,
            matched=self.matched,
            matched_distinct=self.matched_distinct,
            as_read=self.as_read,
            as_read_distinct=self.as_read_distinct,
            by_chance=Chance(
                share_at_1=round(self.first_by_chance / failures, 4),
                share_at_3=round(self.few_by_chance / failures, 4),
            ),
            unseen=self.unseen,
            reasons=dict(sorted(self.reasons.items(), key=lambda pair: (-pair[1], pair[0]))),
            by_service=_ordered(self.services),
            by_class=_ordered(self.classes),
            controls=self.controls,
            uncovered=tuple(self._uncovered()),
        )

    def _miss(self, failure: PastCall, outcome: Outcome) -> None:
        key = (
            outcome.reason, outcome.service, outcome.failure_class, failure.status, failure.status_code,
            failure.error_code, failure.message,
        )  # fmt: skip
        self._missed[key] += failure.count
        self._nodes[key] += 1
        if len(self._missed) > MOST_REMEMBERED:
            self._missed = Counter(dict(self._missed.most_common(MOST_REMEMBERED // 2)))
            self._nodes = Counter({key: self._nodes[key] for key in self._missed})

    def _uncovered(self) -> Iterable[Uncovered]:
        for key, failures in sorted(self._missed.items(), key=lambda item: (-item[1], str(item[0])))[:MOST_UNCOVERED]:
            reason, service, failure_class, status, status_code, error_code, message = key
            yield Uncovered.model_validate(
                {
                    "reason": reason,
                    "service": service,
                    "failure_class": failure_class,
                    "status": status,
                    "status_code": status_code,
                    "error_code": error_code,
                    "message": tidy(redact(str(message or "")), LONGEST_MESSAGE),
                    "failures": failures,
                    "nodes": self._nodes[key],
                }
            )


def _add(slices: dict[str, Slice], name: str, place: int | None, count: int) -> None:
    before = slices.get(name) or Slice(name=name)
    slices[name] = Slice(name=name, matched=before.matched.plus(place, count), distinct=before.distinct.plus(place, 1))


def _ordered(slices: dict[str, Slice]) -> tuple[Slice, ...]:
    return tuple(sorted(slices.values(), key=lambda one: (-one.matched.failures, one.name)))


def _section(call: PastCall, runbook: Runbook | None) -> RunbookSection | None:
    """The node's section; for a call that names no node, the first one of its connector."""
    sections: Sequence[RunbookSection] = runbook.sections if runbook else ()
    if call.node_key:
        return next((one for one in sections if one.node_key == call.node_key), None)
    return next((one for one in sections if one.node_type == call.connector_key), None)


def _error(call: PastCall, service: str) -> ErrorFacts:
    return ErrorFacts(service, call.status, call.status_code, call.error_code, call.message)


def _is_of(scenario: FailureScenario, failure_class: FailureClass) -> bool:
    return failure_class is not FailureClass.UNKNOWN and scenario.failure_class is failure_class


def _fits(one: Match, failure_class: FailureClass) -> bool:
    if failure_class is FailureClass.UNKNOWN:
        return bool(one.seen) and one.scenario.failure_class is not FailureClass.UNKNOWN
    return _is_of(one.scenario, failure_class)


def _reason(section: RunbookSection | None, failure_class: FailureClass) -> Reason:
    if section is None:
        return Reason.NO_SECTION
    return Reason.UNKNOWN_CLASS if failure_class is FailureClass.UNKNOWN else Reason.NO_SCENARIO


def _by_chance(outcome: Outcome) -> tuple[float, float]:
    """The chance that a scenario that fits is first, or among the first three, in random order."""
    if not outcome.fitting:
        return 0.0, 0.0
    others, few = outcome.scenarios - outcome.fitting, min(FIRST_FEW, outcome.scenarios)
    return outcome.fitting / outcome.scenarios, 1 - comb(others, few) / comb(outcome.scenarios, few)
