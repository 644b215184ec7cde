"""What travels from task to task: a few hundred workflows, and what is known of them so far."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TypeVar

from runbooks.core.credential import CredentialFacts
from runbooks.core.definition import definition_hash
from runbooks.core.escalation import escalation_from
from runbooks.core.facts import Facts
from runbooks.core.integrations import NO_ENTRIES, NodeCatalogueEntry, extract_integrations
from runbooks.core.node_types import NodeKnowledge
from runbooks.core.redaction import redact
from runbooks.core.reliability import Reliability
from runbooks.core.runbook import Runbook
from runbooks.core.spending import NO_TOKENS, Tokens
from runbooks.core.workflow import Workflow

T = TypeVar("T")
NO_CREDENTIALS: Mapping[tuple[str, str], CredentialFacts] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A workflow that may need a new runbook, with what the database said when it was found.

    A first sweep holds one of each workflow.
    """

    workflow_id: str
    source_digest: str
    history_signature: str


@dataclass(frozen=True)
class Failed:
    """A workflow that got no runbook, with the reason in one line."""

    workflow_id: str
    reason: str


@dataclass(frozen=True)
class Generated:
    """A finished runbook and what is remembered of its making."""

    workflow_id: str
    workspace_id: str
    runbook: Runbook
    source_digest: str
    history_signature: str
    writer_signature: str
    integrations: int = 0
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None
    calls: int = 0
    failed_checks: Mapping[str, int] = field(default_factory=dict)
    server: str | None = None
    duration_ms: int = 0
    fallback_reason: str | None = None
    page: str | None = None
    """The runbook as Markdown, where it was rendered while others were still being written."""


@dataclass(frozen=True)
class Batch:
    """Each step returns the batch with its own part filled in."""

    candidates: Mapping[str, Candidate]
    workflows: tuple[Workflow, ...] = ()
    facts: tuple[Facts, ...] = ()
    generated: tuple[Generated, ...] = ()
    unchanged: tuple[Candidate, ...] = ()
    failed: tuple[Failed, ...] = field(default=())


def with_integrations(
    batch: Batch, knowledge: NodeKnowledge, node_catalogue: Mapping[str, NodeCatalogueEntry]
) -> Batch:
    """Find the integrations of every workflow; one that breaks the analysis is failed alone."""
    facts: list[Facts] = []
    failed = list(batch.failed)
    for workflow in batch.workflows:
        try:
            facts.append(initial_facts(workflow, knowledge, node_catalogue))
        except Exception as error:
            failed.append(Failed(workflow.id, f"the definition could not be analysed: {type(error).__name__}"))
    return replace(batch, workflows=(), facts=tuple(facts), failed=tuple(failed))


def initial_facts(
    workflow: Workflow, knowledge: NodeKnowledge, node_catalogue: Mapping[str, NodeCatalogueEntry] = NO_ENTRIES
) -> Facts:
    """Facts from the definition alone, with what people wrote into names and descriptions redacted."""
    shown = workflow.model_copy(
        update={
            "name": redact(workflow.name),
            "description": redact(workflow.description),
            "nodes": tuple(node.model_copy(update={"label": redact(node.label)}) for node in workflow.nodes),
        }
    )
    return Facts(
        workflow=shown,
        integrations=extract_integrations(workflow, knowledge=knowledge, node_catalogue=node_catalogue),
        definition_hash=definition_hash(workflow),
        escalation_matrix=escalation_from({}),
    )


def with_history(
    batch: Batch,
    *,
    reliability: Mapping[tuple[str, str], Reliability],
    escalation: Mapping[str, Mapping[str, str]],
    history_included: bool,
    credentials: Mapping[tuple[str, str], CredentialFacts] = NO_CREDENTIALS,
) -> Batch:
    """Add what history and credentials say about each node, by (workflow id, node key), and whom to tell."""
    facts = tuple(
        one.model_copy(
            update={
                "history_included": history_included,
                "reliability": _of_workflow(one, reliability),
                "credentials": _of_workflow(one, credentials),
                "escalation_matrix": escalation.get(one.workflow.workspace_id, one.escalation_matrix),
            }
        )
        for one in batch.facts
    )
    return replace(batch, facts=facts)


def _of_workflow(facts: Facts, found: Mapping[tuple[str, str], T]) -> dict[str, T]:
    keys = (integration.node_key for integration in facts.integrations)
    return {key: value for key in keys if (value := found.get((facts.workflow.id, key))) is not None}
