"""What a back-test reports; the JSON of `runbooks backtest --json`."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from runbooks.core.failure_classes import FailureClass
from runbooks.core.recall import Recall
from runbooks.core.workflow import Frozen


class Reason(StrEnum):
    """Why no scenario was found for a failure."""

    NO_RUNBOOK = "no_runbook"
    NO_SECTION = "no_section"
    UNKNOWN_CLASS = "unknown_class"
    NO_SCENARIO = "no_scenario"


class Slice(Frozen):
    """Recall of one service or class: every failure counts, or every different one."""

    name: str
    matched: Recall = Field(default_factory=Recall)
    distinct: Recall = Field(default_factory=Recall)


class Chance(Frozen):
    """What `as_read` would be if the scenarios of each section stood in random order."""

    share_at_1: float
    share_at_3: float


class Controls(Frozen):
    """Calls that succeeded, held against the runbooks like failures."""

    calls: int = 0
    claimed: int = 0
    """Those for which a scenario was found all the same: false alarms."""


class Uncovered(Frozen):
    """Failures without a scenario that say the same: candidates for the catalogue."""

    reason: Reason
    service: str
    failure_class: FailureClass
    status: str | None
    status_code: int | None
    error_code: str | None
    message: str
    failures: int
    nodes: int


class BacktestReport(Frozen):
    """The result, over one window."""

    taken_at: datetime
    workspace_id: str | None
    days: int
    matched: Recall
    matched_distinct: Recall
    as_read: Recall
    as_read_distinct: Recall
    by_chance: Chance
    unseen: Recall
    """`matched` of those that first came after their runbook was written."""
    reasons: dict[Reason, int]
    by_service: tuple[Slice, ...]
    """Most failures first."""
    by_class: tuple[Slice, ...]
    controls: Controls
    uncovered: tuple[Uncovered, ...]
    """Most frequent first."""
