"""The coverage report: how much of what runs has a runbook, and whether the runbooks help."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from pydantic import Field, computed_field

from runbooks.core.failure_classes import FailureClass
from runbooks.core.mttr import MttrReport
from runbooks.core.recall import Recall
from runbooks.core.workflow import Frozen

RATINGS_TARGET = 0.7
RATINGS_FEW = 5

REQUIRED_CLASSES: tuple[frozenset[FailureClass], ...] = (
    frozenset({FailureClass.TIMEOUT}),
    frozenset({FailureClass.AUTH_FAILED}),
    frozenset({FailureClass.RATE_LIMITED}),
    frozenset({FailureClass.INVALID_REQUEST, FailureClass.UNEXPECTED_RESPONSE}),
)
"""What every section must have: timeout, authentication, rate limit, and a changed schema in one of its two forms."""


class Layer(Frozen):
    """One layer of coverage: how many of how many."""

    covered: int
    total: int

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def share(self) -> float | None:
        """0 to 1; None when there is nothing to cover."""
        return round(self.covered / self.total, 4) if self.total else None


class WorkspaceCoverage(Frozen):
    """Coverage of one workspace."""

    workspace_id: str
    name: str
    active_workflows: int
    with_proactive_runbook: int
    with_ai_runbook: int
    stale: int


class Uncovered(Frozen):
    """An active workflow without a current runbook."""

    workflow_id: str
    name: str
    executions: int
    failures: int
    """Failed executions in the window."""
    reason: str
    """`none`: it has no runbook; `stale`: its definition changed since."""


class Ratings(Frozen):
    """What readers said."""

    count: int = 0
    useful: int = 0
    """`useful` or `very_useful`."""
    target: float = RATINGS_TARGET

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def share(self) -> float | None:
        """Of all ratings, 0 to 1; None without ratings."""
        return round(self.useful / self.count, 4) if self.count else None

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def verdict(self) -> str:
        """`met`, `not met`, or `too few` to say."""
        if self.count < RATINGS_FEW or self.share is None:
            return "too few"
        return "met" if self.share >= self.target else "not met"


class CoverageReport(Frozen):
    """Coverage at one moment, in layers, with the two figures of success beside it."""

    taken_at: datetime
    workspace_id: str | None = None
    """None: all workspaces."""
    active_workflows: int
    with_proactive_runbook: int
    """Active workflows whose runbook is current; stale ones are counted apart."""
    with_ai_runbook: int
    """Those of them that an LLM wrote, at least in part."""
    stale: int
    """Active workflows whose definition changed since their runbook was made."""
    target: float
    integrations: Layer
    failure_classes: Layer
    """Of the four failures that every integration must have a scenario for."""
    observed_failures: Layer
    """Of the failures in the window, those whose class has a scenario in their node's section."""
    scenario_recall: Recall = Field(default_factory=Recall)
    """The back-test of the window: where in their node's section, read from the top, those failures are found."""
    window_days: int
    by_workspace: tuple[WorkspaceCoverage, ...] = ()
    """Largest first; a platform with very many workspaces shows the largest."""
    uncovered: tuple[Uncovered, ...] = ()
    """Worst first; at most a screenful."""
    mttr: MttrReport
    ratings: Ratings = Field(default_factory=Ratings)

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def proactive_coverage(self) -> float:
        """Share of active workflows with a current runbook, 0 to 1; 0 when nothing is active."""
        return _share(self.with_proactive_runbook, self.active_workflows)

    @computed_field  # type: ignore[prop-decorator] # mypy has no support for decorated properties
    @property
    def ai_coverage(self) -> float:
        """Share of active workflows with a current runbook that an LLM wrote, 0 to 1."""
        return _share(self.with_ai_runbook, self.active_workflows)

    @property
    def target_met(self) -> bool:
        """Whether AI runbooks cover as many active workflows as they should."""
        return self.ai_coverage >= self.target


def class_coverage(sections: Iterable[Iterable[str]]) -> Layer:
    """How many of the required scenarios the sections have, given each section's failure classes."""
    covered = total = 0
    for classes in sections:
        present = {FailureClass(name) for name in classes}
        covered += sum(1 for required in REQUIRED_CLASSES if required & present)
        total += len(REQUIRED_CLASSES)
    return Layer(covered=covered, total=total)


def observed_coverage(failures: Iterable[tuple[FailureClass, Collection[str], int]]) -> Layer:
    """Weigh failures by count: (class of the failure, classes that its node's section has a scenario for, count).

    A failure whose class cannot be told counts as not covered: no scenario was written for it.
    """
    met = total = 0
    for failure_class, classes, count in failures:
        total += count
        if failure_class is not FailureClass.UNKNOWN and failure_class in classes:
            met += count
    return Layer(covered=met, total=total)


def scenario_recall(failures: Iterable[tuple[FailureClass, Sequence[str], int]]) -> Recall:
    """Weigh failures by count: (class of the failure, class of each scenario in its section's order, count)."""
    found = Recall()
    for failure_class, order, count in failures:
        told = failure_class is not FailureClass.UNKNOWN and failure_class in order
        found = found.plus(order.index(failure_class) + 1 if told else None, count)
    return found


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0
