"""A runbook as the platform's own list of steps: one per scenario, short, the worst first, the unknown failure last."""

from collections.abc import Sequence

from runbooks.core.runbook import FailureScenario, Runbook

MOST_STEPS = 40
LONGEST_TITLE = 160
LONGEST_DESCRIPTION = 900


def to_steps(runbook: Runbook) -> list[dict[str, str]]:
    """At most 40 steps of `title` and `description`."""
    found = [
        (section.node_label or section.node_key, scenario)
        for section in runbook.sections
        for scenario in section.failure_scenarios
    ]
    found += [("Workflow", scenario) for scenario in runbook.general[:-1]]
    found.sort(key=lambda pair: (-pair[1].severity.rank, not pair[1].evidence))
    last = [("Workflow", runbook.general[-1])] if runbook.general else []
    shown = [*found[: MOST_STEPS - len(last)], *last]
    return [{"title": _title(name, scenario), "description": _description(scenario)} for name, scenario in shown]


def _title(name: str, scenario: FailureScenario) -> str:
    return _cut(f"[{scenario.severity.value}] {name}: {scenario.scenario}", LONGEST_TITLE)


def _description(scenario: FailureScenario) -> str:
    parts = [
        _part("Looks like", scenario.symptoms),
        _part("Check", scenario.diagnosis),
        _part("Fix", scenario.remediation),
        _part("Verify", scenario.verification),
    ]
    return _cut(" ".join(part for part in parts if part), LONGEST_DESCRIPTION)


def _part(word: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    text = items[0].rstrip()
    return f"{word}: {text}" if text.endswith((".", "!", "?")) else f"{word}: {text}."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
