"""A workflow in few words: what a language model needs of it, and no more than that."""

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from runbooks.core.facts import Facts
from runbooks.core.integration import Integration
from runbooks.core.node_roles import short_type
from runbooks.core.redaction import redact_config
from runbooks.core.runbook import FailureScenario, RunbookSection
from runbooks.core.terms import seconds, tidy
from runbooks.core.wording import branches, can_be_undone
from runbooks.core.workflow import Node, Workflow

LONGEST_DESCRIPTION = 240
LONGEST_VALUE = 100
MOST_STEPS = 60
"""A larger workflow shows the steps around the integrations in question, and says how many others there are."""
MOST_SETTINGS = 6
MOST_REPEATS = 3
ROOM_FOR_SYMPTOMS, ROOM_FOR_DIAGNOSIS, ROOM_FOR_REMEDIATION = 120, 220, 130
"""Characters of the catalogue's text of a scenario; the model needs its point, the reader gets what it makes of it."""
_SETTINGS = """
url method httpmethod operation resource path table tablename collection bucket bucketname queue topic index sheetname
channel channelid model modelid rule cron cronexpression timezone amount unit batchsize limit returnall mode event
events authentication timeout retry responsemode respond
"""
SETTINGS = frozenset(_SETTINGS.split())
"""Settings that say what a node does; texts, bodies and code are not among them."""


def workflow_text(facts: Facts, *, steps: str) -> str:
    """The workflow with its steps, as `steps_text` gives them."""
    workflow = facts.workflow
    lines = [f"Workflow: {_quoted(workflow.name)}"]
    if workflow.description:
        lines.append(f"Description: {_quoted(workflow.description, LONGEST_DESCRIPTION)}")
    lines.append(f"Starts: {workflow.trigger_type or 'unknown'}")
    if workflow.timeout_s is not None:
        lines.append(f"Time limit of an execution: {seconds(workflow.timeout_s)}")
    lines.append("Steps (number, name, type, settings -> steps that follow):")
    return "\n".join([*lines, steps])


def steps_text(facts: Facts, *, around: Sequence[str]) -> str:
    """The steps alone, a line each. `around`: keys of the integrations in question; matters for a large workflow."""
    workflow = facts.workflow
    shown = _shown_nodes(workflow, around)
    lines = list(_steps(workflow, shown))
    if len(shown) < len(workflow.nodes):
        lines.append(f"{len(workflow.nodes) - len(shown)} further steps, away from these integrations, are not listed.")
    return "\n".join(lines)


def section_header(section: RunbookSection, integration: Integration, workflow: Workflow, *, history: bool) -> str:
    """One integration: what it calls, how, and what history says when there is any. Defaults are left out."""
    lines = ["; ".join(f"{name} {value}" for name, value in _properties(section, integration, workflow))]
    if history:
        lines.append(f"history: {' '.join(section.history)}")
    heading = f"# node_key {_quoted(section.node_key, None)}"
    return "\n".join([heading, *(tidy(line, len(line) + 1) for line in lines)])


def scenario_text(scenario: FailureScenario, *, whole: bool = False) -> str:
    """One scenario to be made specific: the head of the catalogue's text, all of it where it was seen to happen."""
    lines = [_heading(scenario)]
    for name, texts, room, needed in (
        ("symptoms", scenario.symptoms, ROOM_FOR_SYMPTOMS, len),
        ("diagnosis", scenario.diagnosis, ROOM_FOR_DIAGNOSIS, branches),
        ("remediation", scenario.remediation, ROOM_FOR_REMEDIATION, can_be_undone),
    ):
        shown = texts if whole or scenario.evidence else _first_of(texts, room, needed)
        lines += [f"{name}:", *(f"- {text}" for text in shown)]
    return "\n".join(tidy(line, len(line) + 1) for line in [*lines, *_evidence(scenario)])


def scenario_like(scenario: FailureScenario, node_key: str) -> str:
    """One whose text is that of another integration, with other names in it."""
    lines = [f"{_heading(scenario)}; as at {_quoted(node_key, None)}", *_evidence(scenario)]
    return "\n".join(tidy(line, len(line) + 1) for line in lines)


def without_names(text: str, section: RunbookSection) -> str:
    """A scenario's text with marks for what is called otherwise at another node: equal ones say the same."""
    names = (section.node_label, section.node_key, section.credential, section.operation, section.host)
    for number, name in sorted(enumerate(names), key=lambda pair: -len(pair[1] or "")):
        if name:
            text = text.replace(name, f"\0{number}")
    return f"{section.integration}\n{text}"


def _heading(scenario: FailureScenario) -> str:
    return f"## WRITE {scenario.scenario_id}: {scenario.scenario}"


def _evidence(scenario: FailureScenario) -> list[str]:
    return ["history:", *(f"- {text}" for text in scenario.evidence)] if scenario.evidence else []


def _first_of(texts: Sequence[str], room: int, needed: Callable[[str], object]) -> list[str]:
    """One text that has what is needed, where there is one, and of the others the first that there is room for."""
    if not texts:
        return []
    main = next((text for text in texts if needed(text)), texts[0])
    shown, left = {main}, room - len(main)
    for text in texts:
        left -= len(text) if text is not main else 0
        if left >= 0:
            shown.add(text)
    return [text for text in texts if text in shown]


def _properties(section: RunbookSection, integration: Integration, workflow: Workflow) -> Iterator[tuple[str, str]]:
    label = section.node_label or section.node_key
    if label != section.node_key:
        yield "node", _quoted(label)
    yield "service", section.integration
    if section.operation:
        yield "operation", section.operation
    if integration.host:
        yield "host", integration.host
    elif integration.host_note:
        yield "host unknown", integration.host_note
    yield "access", integration.access
    yield "authentication", integration.authentication.value
    if section.credential:
        yield "credential", _quoted(section.credential)
    if integration.inline_secret:
        yield "secret", "in clear text in the node's settings"
    if integration.timeout_s is not None:
        yield "time limit", seconds(integration.timeout_s)
    if integration.max_attempts > 1:
        yield "attempts", str(integration.max_attempts)
    if integration.continue_on_error:
        yield "on error", "the workflow goes on"
    if integration.repeats:
        labels = {node.key: node.label or node.key for node in workflow.nodes}
        named = [_quoted(labels.get(key, key)) for key in integration.repeats[:MOST_REPEATS]]
        yield "a re-run repeats", ", ".join(named)


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
