"""How bad it is when an integration fails, judged from what it does and where it stands: a floor for severities."""

from dataclasses import dataclass

from runbooks.core.failure_classes import Severity
from runbooks.core.integration import IntegrationKind
from runbooks.core.operations import UNKNOWN, WRITE, Effect

MONEY = frozenset({IntegrationKind.PAYMENTS})
RECORDS = frozenset({IntegrationKind.DATABASE, IntegrationKind.COMMERCE, IntegrationKind.CRM, IntegrationKind.QUEUE})
LEVELS = (Severity.LOW, Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


@dataclass(frozen=True, slots=True)
class Position:
    """Where an integration stands in its workflow."""

    starts_workflow: bool = False
    stops: int = 0
    """Nodes that do not run when it fails, as far as they are counted."""
    stops_records: bool = False
    """Among them one that moves money or keeps records."""
    stops_writes: bool = False
    """Among them one that changes something at a service: what the workflow is for does not happen."""
    on_every_way: bool = False
    handled: bool = False
    """The workflow goes on when it fails, or has a branch for it."""


def weight(kind: IntegrationKind, effect: Effect) -> int:
    """1 for what only reads, 3 for what moves money."""
    if effect.access == WRITE:
        return 3 if kind in MONEY else 2
    return 2 if effect.access == UNKNOWN and kind in MONEY | RECORDS else 1


def criticality(kind: IntegrationKind, effect: Effect, position: Position) -> Severity:
    """Add up what it does, whether everything has to pass it and what it stops; handled failures are one level less.

    Only what moves money or keeps records is critical.
    """
    points = weight(kind, effect)
    if position.stops and (position.on_every_way or position.starts_workflow or position.stops_writes):
        points += 1
    if position.stops_records:
        points += 1
    if position.handled:
        points -= 1
    if kind not in MONEY | RECORDS or effect.access != WRITE:
        points = min(points, LEVELS.index(Severity.HIGH))
    if not position.stops and kind not in MONEY | RECORDS and effect.access != WRITE:
        points -= 1
    return LEVELS[max(0, min(points, len(LEVELS) - 1))]
