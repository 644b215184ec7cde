from typing import Any

import pytest

from runbooks.core.escalation import DEFAULT_MATRIX, LONGEST_CONTACT, escalation_from, escalation_text
from runbooks.core.failure_classes import Severity


@pytest.mark.parametrize(
    "settings",
    [
        {},
        None,
        [],
        "high",
        {"escalation_matrix": None},
        {"escalation_matrix": ["a"]},
        {"escalation_matrix": {"high": 7, "low": None, "medium": "", "critical": [], "urgent": "x"}},
        {"escalation_matrix": {"high": {"a": 1}}},
    ],
)
def test_bad_or_missing_settings_keep_the_defaults(settings: Any) -> None:
    assert escalation_from(settings) == dict(DEFAULT_MATRIX)
    assert list(escalation_from(settings)) == ["low", "medium", "high", "critical"]


def test_what_a_workspace_sets_replaces_its_default_alone() -> None:
    found = escalation_from({"escalation_matrix": {"High": "Call  +1 555\n0100", "low": ["mail Ann", "mail Bob"]}})
    assert found["high"] == "Call +1 555 0100"
    assert found["low"] == "mail Ann, mail Bob"
    assert found["medium"] == DEFAULT_MATRIX["medium"]


def test_a_contact_may_be_an_object_and_the_setting_may_have_its_short_name() -> None:
    found = escalation_from({"escalation": {"critical": {"channel": "#incidents", "who": "Team Blue", "after": 5}}})
    assert found["critical"] == "Team Blue, #incidents"


def test_secrets_in_a_contact_are_redacted_and_long_ones_cut() -> None:
    hook = "https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24
    found = escalation_from({"escalation_matrix": {"high": f"Post to {hook}", "low": "word " * 200}})
    assert "X" * 24 not in found["high"]
    assert len(found["low"]) <= LONGEST_CONTACT


def test_the_text_names_the_contact_the_time_and_what_to_hand_over() -> None:
    matrix = escalation_from({})
    assert escalation_text(Severity.HIGH, matrix, "the error body.") == (
        "If not fixed in 30 min: Page on-call engineer. Hand over: the error body."
    )
    assert escalation_text(Severity.CRITICAL, matrix, "x").startswith("At once, before the fix: Page on-call")
