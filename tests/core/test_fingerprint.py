import pytest

from runbooks.core.facts import Facts
from runbooks.core.fingerprint import fingerprint
from runbooks.core.reliability import Reliability, Scope
from tests.support.runbook_facts import make_facts, make_workflow

FACTS = make_facts(definition_hash="d" * 64, escalation_matrix={"low": "owner", "high": "on-call"})


def of(facts: Facts = FACTS, *, history: str = "h1", writer: str = "catalogue:1") -> str:
    return fingerprint(facts, history_signature=history, writer_signature=writer)


def test_equal_parts_give_the_same_fingerprint() -> None:
    again = make_facts(definition_hash="d" * 64, escalation_matrix={"high": "on-call", "low": "owner"})
    assert of() == of(again)
    assert len(of()) == 64


@pytest.mark.parametrize(
    "other",
    [
        of(history="h2"),
        of(writer="catalogue:2"),
        of(FACTS.model_copy(update={"definition_hash": "e" * 64})),
        of(FACTS.model_copy(update={"escalation_matrix": {"low": "somebody else"}})),
        of(FACTS.model_copy(update={"history_included": False})),
        of(FACTS.model_copy(update={"workflow": make_workflow(owner="Somebody else")})),
    ],
)
def test_every_part_is_in_the_fingerprint(other: str) -> None:
    assert other != of()


def test_single_calls_do_not_move_the_fingerprint() -> None:
    one, more = (
        FACTS.model_copy(update={"reliability": {"http_stripe": Reliability(scope=Scope.NODE, calls=calls)}})
        for calls in (100, 101)
    )
    assert of(one) == of(more)


def test_history_does_not_matter_where_it_is_left_out() -> None:
    without = FACTS.model_copy(update={"history_included": False})
    assert of(without, history="h1") == of(without, history="h2")
