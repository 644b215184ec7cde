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
    return [step(_title(name, scenario), in_short(scenario)) for name, scenario in shown]


def step(title: str, description: str) -> dict[str, str]:
    """One step, cut to what the platform's list can show."""
    return {"title": _cut(title, LONGEST_TITLE), "description": _cut(description, LONGEST_DESCRIPTION)}


def _title(name: str, scenario: FailureScenario) -> str:
    return f"[{scenario.severity.value}] {name}: {scenario.scenario}"


def in_short(scenario: FailureScenario) -> str:
    """How a scenario looks, and the first thing of each kind to do about it."""
    parts = [
        _part("Looks like", scenario.symptoms),
        _part("Check", scenario.diagnosis),
        _part("Fix", scenario.remediation),
        _part("Verify", scenario.verification),
    ]
    return " ".join(part for part in parts if part)


def _part(word: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    text = items[0].rstrip()
    return f"{word}: {text}" if text.endswith((".", "!", "?")) else f"{word}: {text}."


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
