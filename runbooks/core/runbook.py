"""The runbook: what is stored, shown and sent. Serialises to the platform's agreed JSON, with more beside."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field

from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.workflow import Frozen


class FailureScenario(Frozen):
    """One way an integration fails: how it looks, how to tell, what to do."""

    scenario: str
    symptoms: tuple[str, ...]
    diagnosis: tuple[str, ...]
    remediation: tuple[str, ...]
    severity: Severity
    failure_class: FailureClass
    scenario_id: str
    """Stable id of the catalogue scenario that it is, or grew from."""
    source: str = "catalogue"
    """`catalogue` or `llm`: who wrote the text."""
    verification: tuple[str, ...] = ()
    """What to look at after the fix, where, and for how long."""
    prevention: tuple[str, ...] = ()
    """The lasting fix."""
    escalation: str = ""
    """When to stop trying, and whom to call."""
    evidence: tuple[str, ...] = ()
    """What history says, each with count, window and scope. Written by code, never by a model."""
    docs_url: str | None = None


class RunbookSection(Frozen):
    """All failure scenarios of one integration."""

    integration: str
    """The service's name."""
    node_key: str
    failure_scenarios: tuple[FailureScenario, ...]
    node_label: str = ""
    node_type: str = ""
    kind: str = ""
    direction: str = "outbound"
    """`inbound` for a trigger: when that fails, no execution starts."""
    operation: str = ""
    host: str | None = None
    credential: str | None = None
    severity: Severity = Severity.MEDIUM
    """The worst of its scenarios."""
    history: tuple[str, ...] = ()
    """What is known of its reliability in sentences, or that nothing is."""
    impact: str = ""
    """What stops when it fails."""
    rerun: str = ""
    """Whether a re-run is safe, naming the nodes that would act twice."""


class Provenance(Frozen):
    """What a runbook was made from."""

    fingerprint: str = ""
    """Hash of everything that the runbook is made from."""
    definition_hash: str = ""
    version: str | None = None
    writer: str = "catalogue"
    model: str | None = None
    prompt_version: str | None = None
    catalogue_version: str = ""
    window_days: int = 30
    generated_at: datetime | None = None


class Runbook(Frozen):
    """The operational runbook of one workflow."""

    title: str
    summary: str
    sections: tuple[RunbookSection, ...]
    escalation_matrix: dict[str, str]
    """Severity → whom to tell, how. Keys low, medium, high, critical."""
    general: tuple[FailureScenario, ...] = ()
    """Scenarios of the workflow as a whole; the last one is for the failure nobody foresaw."""
    workflow_id: str = ""
    workflow_name: str = ""
    owner: str | None = None
    severity: Severity = Severity.MEDIUM
    """The worst of its sections."""
    ai_generated: bool = False
    notes: tuple[str, ...] = ()
    """What the reader should know about the runbook itself: odd definition, a section left to the catalogue, …"""
    diagram: str = ""
    """What depends on what, as a Mermaid flowchart without its fence; empty when there is nothing to draw."""
    provenance: Provenance = Field(default_factory=Provenance)


def by_risk(sections: Sequence[RunbookSection]) -> list[RunbookSection]:
    """Worst first; of equal ones those with failures on record, then as in the workflow."""
    return sorted(sections, key=lambda section: (-section.severity.rank, not _was_seen_failing(section)))


def _was_seen_failing(section: RunbookSection) -> bool:
    return any(scenario.evidence for scenario in section.failure_scenarios)
