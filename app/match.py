"""`runbooks match`: the section and scenario of a runbook for a concrete error."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.console import results
from app.single import stored_runbook
from runbooks.adapters.exports import read_exports
from runbooks.adapters.writers import write_unstored
from runbooks.bootstrap import open_classifier, open_writers
from runbooks.core.classifier import ErrorFacts
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.matching import Match, Matching, match
from runbooks.core.runbook import Runbook
from runbooks.errors import DefinitionError, SettingsError
from runbooks.settings import load_settings

SHOWN = 3
"""Scenarios that a person gets to read; the JSON has all."""


def run_match(
    workflow_id: str | None,
    *,
    file: Path | None,
    node: str,
    message: str,
    status_code: int | None = None,
    error_code: str | None = None,
    as_json: bool = False,
) -> int:
    """Print what the runbook says to do about an error of one node."""
    if (workflow_id is None) == (file is None):
        raise SettingsError("name a workflow id, or an exported file with --file, one of the two")
    runbook, keys = _from_file(file, node) if file is not None else _from_store(str(workflow_id))
    key = _node_key(node, runbook, keys)
    section = next((one for one in runbook.sections if one.node_key == key), None)
    error = ErrorFacts(
        service=section.integration if section else None,
        status_code=status_code,
        error_code=error_code,
        message=message,
    )
    found = match(runbook, key, error, open_classifier())
    if as_json:
        print(json.dumps(_as_json(found, key), indent=2, ensure_ascii=False))
    else:
        _print(found, key)
    return 0


def _from_store(workflow_id: str) -> tuple[Runbook, frozenset[str]]:
    """The stored runbook; which other nodes the workflow has is not known then."""
    return stored_runbook(workflow_id), frozenset()


def _from_file(file: Path, node: str) -> tuple[Runbook, frozenset[str]]:
    """A runbook for the workflow of the file that has the node, written from the catalogue."""
    try:
        read = list(read_exports(str(file)))
    except OSError as error:
        raise SettingsError(f"{file}: {error.strerror}") from error
    except DefinitionError as error:
        raise DefinitionError(f"{file}: {error}") from error
    workflows = [one for one in read if isinstance(one, Facts)]
    if not workflows and read:
        raise DefinitionError(f"{file}: {read[0]}")
    if not workflows:
        raise DefinitionError(f"{file}: it holds no workflow")
    facts = next((one for one in workflows if node in _names_of(one)), workflows[0])
    (runbook,) = asyncio.run(write_unstored(open_writers(load_settings(), "catalogue", "match"), [facts]))
    return runbook, frozenset(one.key for one in facts.workflow.nodes)


def _names_of(facts: Facts) -> set[str]:
    return {name for one in facts.workflow.nodes for name in (one.key, one.label)}


def _node_key(node: str, runbook: Runbook, keys: frozenset[str]) -> str:
    """The key of a node named by key or label; raise SettingsError that lists the nodes there are."""
    by_label = {section.node_label: section.node_key for section in runbook.sections}
    by_key = keys | {section.node_key for section in runbook.sections}
    if node in by_key:
        return node
    if node in by_label:
        return by_label[node]
    known = ", ".join(repr(section.node_key) for section in runbook.sections) or "none"
    raise SettingsError(f"no section for node {node!r}; nodes with one: {known}")


def _as_json(found: Matching, key: str) -> dict[str, Any]:
    section = found.section
    return {
        "node_key": key,
        "failure_class": found.classification.failure_class,
        "rule": found.classification.rule,
        "integration": section.integration if section else None,
        "history": list(section.history) if section else [],
        "matches": [
            {
                "scenario_id": one.scenario.scenario_id,
                "from": "section" if one.node_key else "workflow",
                "why": one.why,
                "seen": list(one.seen),
                **one.scenario.model_dump(mode="json", exclude={"scenario_id"}),
            }
            for one in found.matches
        ],
    }


def _print(found: Matching, key: str) -> None:
    section = found.section
    place = f"node {key!r}, {section.integration}" if section else f"node {key!r}, which calls no other service"
    _write(f"{place}: {found.classification.failure_class} (rule {found.classification.rule})")
    _write_list("History", section.history if section else ())
    if not found.matches:
        _write("The runbook has no scenario.")
    is_told = found.classification.failure_class is not FailureClass.UNKNOWN
    for number, one in enumerate(found.matches[:SHOWN], start=1):
        _write_match(number, one, whole=is_told and number == 1)
    if len(found.matches) > SHOWN:
        _write(f"{len(found.matches) - SHOWN} more; --json has all.")


def _write_match(number: int, one: Match, *, whole: bool) -> None:
    scenario = one.scenario
    _write(f"\n{number}. {scenario.scenario} ({scenario.severity}, {scenario.scenario_id})")
    _write(f"   Why: {one.why}")
    _write_list("Seen before", scenario.evidence)
    if not whole:
        _write_list("Looks like", scenario.symptoms)
        return
    _write_list("Find out", scenario.diagnosis)
    _write_list("Mend", scenario.remediation)
    _write_list("Verify", scenario.verification)
    if scenario.escalation:
        _write(f"   Escalate: {scenario.escalation}")


def _write_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        _write(f"   {title}:")
    for line in lines:
        _write(f"   - {line}")


def _write(text: str) -> None:
    results().print(text, markup=False)
