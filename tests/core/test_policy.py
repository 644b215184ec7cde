from typing import Any

import pytest

from runbooks.core.policy import NO_POLICY, policy_from
from runbooks.core.redaction import Rules


def enabled(**columns: Any) -> dict[str, Any]:
    return {"enabled": True, "allowed_ai_models": None, "blocked_ai_models": None, "redaction_rules": None, **columns}


def hidden(rules: Rules, text: str) -> str:
    for rule in rules:
        text = rule.sub("#", text)
    return text


@pytest.mark.parametrize(
    ("columns", "model", "allowed"),
    [
        ({}, "gpt-5", True),
        ({"blocked_ai_models": ["gpt-5"]}, "gpt-5", False),
        ({"blocked_ai_models": ["gpt-5"]}, "GPT-5", False),
        ({"blocked_ai_models": ["gpt-5"]}, "openai/gpt-5", False),
        ({"blocked_ai_models": ["openai/gpt-5"]}, "gpt-5", False),
        ({"blocked_ai_models": ["gpt-5"]}, "gpt-5-mini", True),
        ({"allowed_ai_models": ["gpt-5"]}, "gpt-5", True),
        ({"allowed_ai_models": ["gpt-5"]}, "llama", False),
        ({"allowed_ai_models": []}, "llama", True),
        ({"allowed_ai_models": ["gpt-5"], "blocked_ai_models": ["gpt-5"]}, "gpt-5", False),
    ],
)
def test_a_model_is_asked_only_where_the_policy_allows_it(columns: dict[str, Any], model: str, allowed: bool) -> None:
    assert (policy_from(enabled(**columns)).refuses(model) is None) is allowed


def test_a_policy_that_is_not_enabled_does_not_count() -> None:
    assert policy_from({**enabled(blocked_ai_models=["gpt-5"]), "enabled": False}) == NO_POLICY


@pytest.mark.parametrize(
    "rules",
    [
        [r"CUST-\d+"],
        [{"pattern": r"CUST-\d+", "name": "customers"}],
        {"patterns": [r"CUST-\d+"]},
        [{"field": "customer.tax_id"}, r"CUST-\d+"],
    ],
)
def test_rules_are_read_in_every_shape(rules: Any) -> None:
    text = hidden(policy_from(enabled(redaction_rules=rules)).rules, "order of CUST-4711")
    assert text == "order of #"


@pytest.mark.parametrize("rules", [["tax_id"], [{"field": "customer.tax_id"}], {"fields": ["tax_id"]}])
@pytest.mark.parametrize("text", ["tax_id: 12-345", 'tax_id="12-345"', '"tax_id": "12-345", "x": 1'])
def test_a_fields_value_is_hidden(rules: Any, text: str) -> None:
    assert "12-345" not in hidden(policy_from(enabled(redaction_rules=rules)).rules, text)


@pytest.mark.parametrize(
    "columns",
    [
        {"redaction_rules": ["CUST-(\\d+"]},
        {"redaction_rules": [".*"]},
        {"redaction_rules": [5]},
        {"redaction_rules": [{"unheard": "of"}]},
        {"allowed_ai_models": "gpt-5"},
        {"blocked_ai_models": [{"name": "gpt-5"}]},
    ],
)
def test_a_policy_that_cannot_be_read_blocks_every_model_and_says_why(columns: dict[str, Any]) -> None:
    refusal = policy_from(enabled(**columns)).refuses("gpt-5")
    assert refusal is not None
    assert refusal.startswith("the workspace's policy cannot be read: ")
