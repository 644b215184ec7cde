"""Time to recover: incidents that began with a proactive runbook in place, against those that began without."""

from collections.abc import Iterable
from statistics import median

from pydantic import Field

from runbooks.core.workflow import Frozen

TARGET = 0.3
"""By how much the median should fall."""
FEW = 5
"""Resolved incidents a side; with fewer, nothing is compared."""


class Incident(Frozen):
    """A workflow's first failed execution after a success, to its next completed one."""

    with_runbook: bool
    """Whether a proactive runbook was in place when it began."""
    duration_s: float | None
    """None while it is open."""


class Recovery(Frozen):
    """How one side recovered."""

    resolved: int = 0
    open: int = 0
    """Not resolved yet: in no median, so that one that lasts is not mistaken for one that went fast."""
    median_s: float | None = None
    """Of the resolved ones."""


class MttrReport(Frozen):
    """Both sides and the verdict."""

    with_runbook: Recovery = Field(default_factory=Recovery)
    without_runbook: Recovery = Field(default_factory=Recovery)
    change: float | None = None
    """Of the median, relative to the side without: -0.3 is 30% faster. None when there is nothing to compare."""
    target: float = TARGET
    """The wanted fall, as a positive share."""
    verdict: str = "too few"
    """`met`, `not met`, or `too few` to say."""


def mttr(incidents: Iterable[Incident]) -> MttrReport:
    """Compare both sides."""
    with_runbook, without = _Side(), _Side()
    for incident in incidents:
        (with_runbook if incident.with_runbook else without).add(incident.duration_s)
    after, before = with_runbook.recovery(), without.recovery()
    change = _change(after, before)
    return MttrReport(
        with_runbook=after, without_runbook=before, change=change, verdict=_verdict(after, before, change)
    )


class _Side:
    def __init__(self) -> None:
        self.durations: list[float] = []
        self.open = 0

    def add(self, duration_s: float | None) -> None:
        if duration_s is None:
            self.open += 1
        else:
            self.durations.append(duration_s)

    def recovery(self) -> Recovery:
        middle = float(median(self.durations)) if self.durations else None
        return Recovery(resolved=len(self.durations), open=self.open, median_s=middle)


def _change(after: Recovery, before: Recovery) -> float | None:
    if after.median_s is None or not before.median_s:
        return None
    return round((after.median_s - before.median_s) / before.median_s, 4)


def _verdict(after: Recovery, before: Recovery, change: float | None) -> str:
    if min(after.resolved, before.resolved) < FEW or change is None:
        return "too few"
    return "met" if change <= -TARGET else "not met"
