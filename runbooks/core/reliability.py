"""What history says about an integration."""

from datetime import datetime
from enum import StrEnum

from runbooks.core.failure_classes import FailureClass
from runbooks.core.flags import Flag
from runbooks.core.time_pattern import TimePattern
from runbooks.core.workflow import Frozen


class Scope(StrEnum):
    """Where a figure was measured; the most specific one that has data is used."""

    NODE = "node"
    WORKFLOW = "workflow"
    WORKSPACE = "workspace"
    NONE = "none"


class FailureGroup(Frozen):
    """Failures of one class at one integration."""

    failure_class: FailureClass
    count: int
    share: float
    """Of the calls in the scope, 0 to 1."""
    first_seen: datetime | None = None
    """In the window."""
    last_seen: datetime | None = None
    message: str = ""
    """The most frequent message, folded and redacted."""
    pattern: TimePattern | None = None
    """When most of them come, where that is no chance."""


class Reliability(Frozen):
    """History of one integration over one window. `calls` 0 means that there is none."""

    scope: Scope
    source: str = ""
    """`attempts`, `executions` (the node's runs), or `daily`: the platform's rollup and what it does not have yet.

    The rollup counts cancelled calls and expected 4xx answers as failures, so `daily` figures are upper bounds.
    """
    window_days: int = 30
    calls: int = 0
    failures: int = 0
    """Cancelled calls are no failures, and no calls either."""
    timeouts: int = 0
    retries: int = 0
    recovered: int = 0
    """Calls that failed first and succeeded on a retry."""
    p50_ms: float | None = None
    """None where no latencies are known: percentiles of days cannot be averaged."""
    p95_ms: float | None = None
    p99_ms: float | None = None
    score: int | None = None
    """The platform's own quality score, 0 to 100; None unless it comes from attempts, which the platform scores."""
    trend: str = "unknown"
    """`worse`, `better`, `steady`, or `unknown` when there is too little to tell."""
    first_at: datetime | None = None
    """The first call in the window; None in the rollup, which has days only."""
    last_at: datetime | None = None
    last_failure_at: datetime | None = None
    outages: int = 0
    """Runs of hours in which at least half of the calls failed; looked for from ten failures on."""
    flags: tuple[Flag, ...] = ()
    """Worst first; none for figures of the workspace, which are not the node's own."""
    groups: tuple[FailureGroup, ...] = ()
    """Most frequent class first."""

    @property
    def failure_rate(self) -> float | None:
        """Failures per call, 0 to 1; None without calls."""
        return self.failures / self.calls if self.calls else None
