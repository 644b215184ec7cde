"""An incident as the platform shows it: tags, a list of steps, and a page."""

from collections.abc import Iterator, Sequence

from runbooks.core.incident import Incident
from runbooks.core.markdown import escape, matrix_lines, scenario_lines
from runbooks.core.runbook import FailureScenario
from runbooks.core.steps import MOST_STEPS, in_short, step

MOST_SCENARIOS = 12
"""Scenarios that a page writes out: the error of a workflow with many general ones may fit none."""


def incident_tags(incident: Incident) -> list[str]:
    """What is added to the row's tags."""
    kind = "ai-generated" if incident.ai_generated else "catalogue"
    return ["reactive", incident.failure_class.value, kind, incident.section.integration]


def incident_steps(incident: Incident) -> list[dict[str, str]]:
    """What happened, what to do about it in order, and what to try when that does not fit."""
    steps = [step("What happened", " ".join(part for part in (f"{incident.error}.", incident.attempts) if part))]
    if incident.seen_before:
        steps.append(step("Seen before", " ".join(incident.seen_before)))
    fitting = incident.fitting
    if fitting is not None:
        steps += _of_scenario(fitting, incident)
        others: Sequence[FailureScenario] = incident.section.failure_scenarios[1:]
    else:
        steps += _rerun(incident)
        others = incident.section.failure_scenarios
    start = "If that is not it" if fitting is not None else "It may be"
    steps += [step(f"{start}: {scenario.scenario}", in_short(scenario)) for scenario in others]
    return steps[:MOST_STEPS]


def incident_markdown(incident: Incident) -> str:
    """The page for the person who was woken: the facts first, then what fits."""
    lines = [f"# {escape(incident.title)}", "", escape(incident.summary), "", _head(incident), ""]
    lines += [*(f"- **{name}** {escape(text)}" for name, text in _facts(incident) if text), ""]
    lines += [f"> - {escape(note)}" for note in incident.notes]
    lines += [""] if incident.notes else []
    lines += _scenarios(incident)
    lines += matrix_lines(incident.escalation_matrix)
    return "\n".join([*lines, "---", "", _footer(incident)]) + "\n"


def _head(incident: Incident) -> str:
    owner = f" · **Owner:** {escape(incident.owner)}" if incident.owner else ""
    return (
        f"**Severity:** {incident.severity.value} · **Workflow:** {escape(incident.workflow_name)}{owner} · "
        f"**Execution:** {escape(incident.execution_id)}"
    )


def _facts(incident: Incident) -> Iterator[tuple[str, str]]:
    section = incident.section
    yield "Error:", incident.error
    yield "Calls of the node:", incident.attempts
    yield "Seen before:", " ".join(incident.seen_before)
    yield "Run it again?", " ".join(incident.done_before)
    yield "While it is broken:", section.impact
    yield "Reliability:", " ".join(section.history)


def _scenarios(incident: Incident) -> list[str]:
    scenarios = incident.section.failure_scenarios
    if not scenarios:
        return []
    if incident.fitting is not None:
        lines = ["## What fits", "", f"Chosen because {escape(incident.why[0])}.", ""]
    else:
        lines = ["## What it may be", "", "The error does not tell its kind. In the runbook's own order:", ""]
    shown = [*scenarios[: MOST_SCENARIOS - 1], *scenarios[MOST_SCENARIOS - 1 :][-1:]]
    for number, scenario in enumerate(shown, start=1):
        # What was seen before stands at the top already.
        bare = tuple(one for one in scenario.evidence if one not in incident.seen_before)
        lines += scenario_lines(scenario.model_copy(update={"evidence": bare}), f"{number}.", f"s{number}")
    return lines


def _footer(incident: Incident) -> str:
    source = "from the workflow's stored runbook" if incident.from_stored else "from the failure catalogue"
    kind = f"{incident.failure_class.value}, by rule {incident.rule}"
    return f"Scenarios {source} · failure class {escape(kind)} · not reviewed by a person unless marked so."


def _of_scenario(scenario: FailureScenario, incident: Incident) -> list[dict[str, str]]:
    steps = [
        step(f"[{scenario.severity.value}] {scenario.scenario}: does it look like this?", _joined(scenario.symptoms))
    ]
    steps += _numbered("Diagnose", scenario.diagnosis)
    steps += _numbered("Fix", scenario.remediation)
    steps += _rerun(incident)
    steps += [step("Verify", _joined(scenario.verification))] if scenario.verification else []
    steps += [step("Escalate", scenario.escalation)] if scenario.escalation else []
    return steps


def _rerun(incident: Incident) -> list[dict[str, str]]:
    return [step("Before you run it again", " ".join(incident.done_before))] if incident.done_before else []


def _numbered(title: str, items: Sequence[str]) -> list[dict[str, str]]:
    if len(items) == 1:
        return [step(title, items[0])]
    return [step(f"{title} {number}/{len(items)}", item) for number, item in enumerate(items, start=1)]


def _joined(items: Sequence[str]) -> str:
    return " ".join(item if item.rstrip().endswith((".", "!", "?")) else f"{item.rstrip()}." for item in items)
