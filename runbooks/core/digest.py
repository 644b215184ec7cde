"""A workflow in few words: what a language model needs of it, and no more than that."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from runbooks.core.facts import Facts
from runbooks.core.integration import Integration
from runbooks.core.node_roles import short_type
from runbooks.core.redaction import redact_config
from runbooks.core.runbook import FailureScenario, RunbookSection
from runbooks.core.terms import seconds, tidy
from runbooks.core.workflow import Node, Workflow

LONGEST_DESCRIPTION = 400
LONGEST_VALUE = 100
MOST_STEPS = 60
"""A larger workflow shows the steps around the integrations in question, and says how many others there are."""
MOST_SETTINGS = 6
_SETTINGS = """
url method httpmethod operation resource path table tablename collection bucket bucketname queue topic index sheetname
channel channelid model modelid rule cron cronexpression timezone amount unit batchsize limit returnall mode event
events authentication timeout retry responsemode respond
"""
SETTINGS = frozenset(_SETTINGS.split())
"""Settings that say what a node does; texts, bodies and code are not among them."""


def workflow_text(facts: Facts, *, around: Sequence[str]) -> str:
    """The workflow as a list of steps. `around`: keys of the integrations in question."""
    workflow = facts.workflow
    lines = [f"Workflow: {_quoted(workflow.name)}"]
    if workflow.description:
        lines.append(f"Description: {_quoted(workflow.description, LONGEST_DESCRIPTION)}")
    lines.append(f"Starts: {workflow.trigger_type or 'unknown'}")
    if workflow.timeout_s is not None:
        lines.append(f"Time limit of an execution: {seconds(workflow.timeout_s)}")
    lines.append("Steps (number, name, type, settings -> steps that follow):")
    return "\n".join([*lines, steps_text(facts, around=around)])


def steps_text(facts: Facts, *, around: Sequence[str]) -> str:
    """The steps alone, a line each."""
    workflow = facts.workflow
    shown = _shown_nodes(workflow, around)
    lines = list(_steps(workflow, shown))
    if len(shown) < len(workflow.nodes):
        lines.append(f"{len(workflow.nodes) - len(shown)} further steps, away from these integrations, are not listed.")
    return "\n".join(lines)


def section_text(section: RunbookSection, integration: Integration, wanted: Sequence[FailureScenario]) -> str:
    """One integration: what it calls, what history says, and the catalogue's scenarios to be made specific."""
    lines = [
        "; ".join(f"{name} {value}" for name, value in _properties(section, integration)),
        f"When it fails: {section.impact}",
        f"Re-run: {section.rerun}",
        f"History: {' '.join(section.history)}",
    ]
    for scenario in wanted:
        lines.extend(_scenario(scenario))
    others = [one.scenario for one in section.failure_scenarios if one not in wanted]
    if others:
        lines.append(f"Other scenarios of this node, not to be written: {'; '.join(others)}")
    heading = f"# Integration, node_key {_quoted(section.node_key, None)}"
    return "\n".join([heading, *(tidy(line, len(line) + 1) for line in lines)])


def _properties(section: RunbookSection, integration: Integration) -> Iterator[tuple[str, str]]:
    yield "node", _quoted(section.node_label or section.node_key)
    yield "type", short_type(section.node_type)
    yield "service", section.integration
    if section.operation:
        yield "operation", section.operation
    if integration.host or integration.host_note:
        yield "host", integration.host or str(integration.host_note)
    yield "access", integration.access
    yield "authentication", integration.authentication.value
    if section.credential:
        yield "credential", _quoted(section.credential)
    if integration.inline_secret:
        yield "secret", "in clear text in the node's settings"
    yield "time limit", seconds(integration.timeout_s) if integration.timeout_s is not None else "not set"
    yield "attempts", str(integration.max_attempts)
    yield "on error", "the workflow goes on" if integration.continue_on_error else "the execution fails"


def _scenario(scenario: FailureScenario) -> Iterator[str]:
    yield f"## WRITE scenario_id {scenario.scenario_id} ({scenario.failure_class.value}): {scenario.scenario}"
    for name, texts in (
        ("symptoms", scenario.symptoms),
        ("diagnosis", scenario.diagnosis),
        ("remediation", scenario.remediation),
        ("history", scenario.evidence),
    ):
        if texts:
            yield f"{name}:"
            yield from (f"- {text}" for text in texts)


def _shown_nodes(workflow: Workflow, around: Sequence[str]) -> list[Node]:
    if len(workflow.nodes) <= MOST_STEPS:
        return list(workflow.nodes)
    wanted = dict.fromkeys(around)
    neighbours: dict[str, list[str]] = defaultdict(list)
    for edge in workflow.edges:
        neighbours[edge.source].append(edge.target)
        neighbours[edge.target].append(edge.source)
    for key in around:
        wanted.update(dict.fromkeys(neighbours[key]))
    keep = set(list(wanted)[:MOST_STEPS])
    return [node for node in workflow.nodes if node.key in keep]


def _steps(workflow: Workflow, shown: Sequence[Node]) -> Iterator[str]:
    numbers = {node.key: number for number, node in enumerate(shown, start=1)}
    following: dict[str, list[str]] = defaultdict(list)
    for edge in workflow.edges:
        if edge.target in numbers:
            mark = "" if edge.kind == "main" else f" ({edge.kind})"
            following[edge.source].append(f"{numbers[edge.target]}{mark}")
    for node in shown:
        parts = [f"{numbers[node.key]}. {_quoted(node.label or node.key)} {short_type(node.type)}"]
        if tidy(node.key) != tidy(node.label or node.key):
            parts.append(f"key {_quoted(node.key)}")
        settings = _settings(node.config)
        if settings:
            parts.append(settings)
        if node.disabled:
            parts.append("disabled")
        if following[node.key]:
            parts.append(f"-> {', '.join(following[node.key])}")
        yield " ".join(parts)


def _settings(config: Mapping[str, Any]) -> str:
    told = {name: value for name, value in config.items() if name.lower() in SETTINGS}
    found: list[str] = []
    for name, value in redact_config(told).items():
        text = _value(value)
        if text and len(found) < MOST_SETTINGS:
            found.append(f"{name}={text}")
    return f"{{{', '.join(found)}}}" if found else ""


def _value(value: Any) -> str:
    if isinstance(value, dict):  # n8n's resource locator
        value = value.get("cachedResultName") or value.get("value")
    if isinstance(value, bool) or value is None or value == "":
        return ""
    if isinstance(value, str):
        return _quoted(value.partition("?")[0], LONGEST_VALUE)
    return str(value) if isinstance(value, int | float) else ""


def _quoted(text: str, longest: int | None = 120) -> str:
    """One line in quotes, so that nobody's text can look like ours."""
    return json.dumps(tidy(text, longest) if longest else text, ensure_ascii=False)
