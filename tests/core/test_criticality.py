"""How bad it is when an integration fails."""

import pytest

from runbooks.core.criticality import Position, criticality
from runbooks.core.failure_classes import Severity
from runbooks.core.integration import IntegrationKind
from runbooks.core.operations import READS, WRITES_AGAIN, WRITES_ONCE, Effect

MIDDLE = Position(stops=3, on_every_way=True)
END = Position()


@pytest.mark.parametrize(
    ("kind", "effect", "position", "expected"),
    [
        (IntegrationKind.PAYMENTS, WRITES_AGAIN, MIDDLE, Severity.CRITICAL),
        (IntegrationKind.PAYMENTS, WRITES_AGAIN, END, Severity.HIGH),
        (IntegrationKind.DATABASE, WRITES_ONCE, MIDDLE, Severity.HIGH),
        (IntegrationKind.DATABASE, WRITES_ONCE, END, Severity.MEDIUM),
        (IntegrationKind.EMAIL, WRITES_AGAIN, END, Severity.MEDIUM),
        (IntegrationKind.SPREADSHEET, READS, MIDDLE, Severity.MEDIUM),
        (IntegrationKind.SPREADSHEET, READS, END, Severity.LOW),
        (IntegrationKind.FEED, READS, Position(starts_workflow=True, stops=3), Severity.MEDIUM),
        (IntegrationKind.AI_MODEL, READS, Position(stops=9, stops_writes=True), Severity.MEDIUM),
    ],
)
def test_what_it_does_and_where_it_stands_decide(
    kind: IntegrationKind, effect: Effect, position: Position, expected: Severity
) -> None:
    assert criticality(kind, effect, position) == expected


def test_a_failure_that_the_workflow_handles_is_one_level_less() -> None:
    handled = Position(stops=3, on_every_way=True, handled=True)
    assert criticality(IntegrationKind.PAYMENTS, WRITES_AGAIN, handled) is Severity.HIGH


def test_stopping_a_record_before_it_is_kept_is_one_level_more() -> None:
    before_record = Position(stops=3, on_every_way=True, stops_records=True)
    assert criticality(IntegrationKind.SPREADSHEET, READS, before_record) is Severity.HIGH


def test_only_money_and_records_are_critical() -> None:
    worst = Position(stops=9, on_every_way=True, stops_records=True)
    assert criticality(IntegrationKind.MESSAGING, WRITES_AGAIN, worst) is Severity.HIGH
    assert criticality(IntegrationKind.CRM, WRITES_AGAIN, worst) is Severity.CRITICAL
