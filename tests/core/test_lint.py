import pytest

from runbooks.core.lint import CHECKS, lint
from runbooks.core.markdown import to_markdown
from tests.support.order_workflow import make_runbook

GOOD = """# Queue is full

## Symptoms
- The alert QueueFull fires and orders wait longer than five minutes.

## Impact
Orders are late; nothing is lost.

## Diagnosis
1. Open the dashboard of the queue and read the number of consumers. If it is 0, the workers are down; else one is slow.

## Mitigation
1. Start two more workers with `make scale`. Undo: scale down again.
2. Verify that the queue gets shorter within ten minutes.

If it does not, escalate to the platform team.
"""


def checks_failed(text: str) -> set[str]:
    return {problem.check for problem in lint(text)}


def test_a_runbook_that_has_everything_has_no_finding() -> None:
    assert lint(GOOD) == []


def test_our_own_runbooks_pass() -> None:
    assert {problem.check for problem in lint(to_markdown(make_runbook())) if problem.level == "error"} == set()


@pytest.mark.parametrize(
    ("line", "check"),
    [
        ("- Check the logs.", "empty-advice"),
        ("- Contact support.", "empty-advice"),
        ("- Delete the table of orders.", "unguarded-danger"),
        ("- Disable TLS verification on the client.", "forbidden-advice"),
        ("- Use the key sk_live_51FAKEfake0FAKEfake1FAKE2 for it.", "secret"),  # notsecret
        ("- TODO: describe the failover.", "placeholder"),
        ("- As an AI language model, I cannot know the cause.", "model-leak"),
        ("- Scale the workers as appropriate.", "vague"),
        ("- Look at \u202ethis line of text.", "printable"),
        (f"- {'Look at the consumers. ' * 20}", "long-step"),
    ],
)
def test_a_bad_line_is_found_where_it_stands(line: str, check: str) -> None:
    lines = GOOD.split("\n")
    lines.insert(10, line)
    (problem,) = lint("\n".join(lines))
    assert (problem.check, problem.line) == (check, 11)


@pytest.mark.parametrize(
    ("removed", "check"),
    [
        ("## Symptoms", "symptoms"),
        ("## Impact", "impact"),
        ("## Diagnosis", "diagnosis"),
        ("## Mitigation", "remediation"),
        ("Verify that", "verification"),
        ("Undo: scale down again.", "way-back"),
        ("escalate to the platform team", "escalation"),
    ],
)
def test_what_is_missing_is_told(removed: str, check: str) -> None:
    assert checks_failed(GOOD.replace(removed, "")) >= {check}


def test_commands_in_code_are_not_prose() -> None:
    assert lint(GOOD + "\n```\ndrop table x -- TODO <name>\n```\n") == []


@pytest.mark.parametrize("text", ["", "\n\n", "# Title", "One line."])
def test_an_empty_page_is_no_runbook(text: str) -> None:
    assert {"not-empty", "steps"} <= checks_failed(text)


def test_every_check_has_a_level() -> None:
    assert {level for level, _ in CHECKS.values()} == {"error", "warning"}
