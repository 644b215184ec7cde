import time

import pytest

from runbooks.core.policy import policy_from
from runbooks.core.redaction_rule import SECONDS, RedactionRule
from runbooks.errors import PolicyUnusable

CATASTROPHES = [r"(a+)+$", r"(a|a)*$", r"(a|aa)+$", r"^(\w+\s?)*$", r"(.*a){20}$", r"((a*)*)*b"]
LONG = "a" * 4000 + "!"


@pytest.mark.parametrize("expression", CATASTROPHES)
def test_an_expression_that_backtracks_without_end_stops_soon_and_lets_nothing_through(expression: str) -> None:
    started = time.perf_counter()
    try:
        rule = RedactionRule(expression)
    except ValueError as error:
        assert "matches nothing at all" in str(error)  # noqa: PT017 - some of these do, which is refused as well
        return
    for _ in range(3):
        try:
            assert rule.sub("#", LONG) != ""
        except PolicyUnusable as error:
            assert "takes too long" in str(error)  # noqa: PT017 - whether it is too slow depends on the engine
    assert time.perf_counter() - started < 6 * SECONDS


def test_a_rule_that_was_too_slow_is_not_tried_again() -> None:
    rule = RedactionRule(r"(?:x+x+)+y")
    with pytest.raises(PolicyUnusable):
        rule.sub("#", "x" * 5000)
    started = time.perf_counter()
    with pytest.raises(PolicyUnusable):
        rule.sub("#", "harmless")
    assert time.perf_counter() - started < SECONDS / 5


@pytest.mark.parametrize("expression", ["a" * 1001, "(", "x*", "", "(?P<n>a)(?P<n"])
def test_what_is_no_rule_is_refused_and_nothing_is_sent(expression: str) -> None:
    policy = policy_from({"enabled": True, "redaction_rules": [{"pattern": expression}]})
    assert "cannot be read" in str(policy.refuses("m"))


@pytest.mark.parametrize("column", ["max_ai_tokens", "max_execution_cost_usd"])
@pytest.mark.parametrize("value", ["many", -1, float("inf")])
def test_a_limit_that_is_no_amount_blocks_sending(column: str, value: object) -> None:
    assert policy_from({"enabled": True, column: value}).refuses("m") is not None


def test_a_limit_of_cost_needs_to_know_the_cost() -> None:
    policy = policy_from({"enabled": True, "max_execution_cost_usd": "0.50"})
    assert policy.refuses("m", priced=True) is None
    assert "RUNBOOKS_LLM_PRICE_INPUT" in str(policy.refuses("m", priced=False))
