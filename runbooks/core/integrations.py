"""Find the integrations of a workflow: who is called, how, what stops when it fails, what a re-run would do twice."""

from collections.abc import Mapping
from functools import lru_cache

from runbooks.core.call import Call
from runbooks.core.constants import constants_of
from runbooks.core.criticality import MONEY, RECORDS, Position, criticality
from runbooks.core.graph import Graph
from runbooks.core.integration import Integration
from runbooks.core.linkflow_calls import NodeCatalogueEntry, linkflow_call
from runbooks.core.n8n_calls import n8n_call
from runbooks.core.node_types import NodeKnowledge
from runbooks.core.operations import WRITE
from runbooks.core.redaction import redact
from runbooks.core.workflow import Dialect, Node, Workflow

__all__ = ["NodeCatalogueEntry", "extract_integrations"]

SUB_WORKFLOW_TYPES = frozenset({"executeWorkflow", "toolWorkflow", "workflow"})
NO_ENTRIES: Mapping[str, NodeCatalogueEntry] = {}


def extract_integrations(
    workflow: Workflow, *, knowledge: NodeKnowledge, node_catalogue: Mapping[str, NodeCatalogueEntry] = NO_ENTRIES
) -> tuple[Integration, ...]:
    """The nodes that call something outside the platform, in the order of the definition."""
    calls = _calls(workflow, knowledge, node_catalogue)
    if not calls:
        return ()
    graph = Graph(workflow)
    bottlenecks = graph.bottlenecks()
    acting = {key for key, call in calls.items() if call.effect.again} | sub_workflows(workflow)
    repeats = graph.nearest_before(acting.__contains__)
    return tuple(
        _integration(node, calls, workflow, graph, node.key in bottlenecks, repeats[node.key])
        for node in workflow.nodes
        if node.key in calls
    )


def _calls(
    workflow: Workflow, knowledge: NodeKnowledge, node_catalogue: Mapping[str, NodeCatalogueEntry]
) -> dict[str, Call]:
    calls: dict[str, Call] = {}
    constants = constants_of(workflow.nodes) if workflow.dialect is Dialect.N8N else {}
    for node in workflow.nodes:
        if workflow.dialect is Dialect.N8N:
            call = n8n_call(node, knowledge, constants)
        else:
            call = linkflow_call(node, knowledge, node_catalogue.get(node.type))
        if call is not None:
            calls[node.key] = call
    return calls


def _integration(
    node: Node,
    calls: Mapping[str, Call],
    workflow: Workflow,
    graph: Graph,
    on_every_way: bool,
    repeats: tuple[str, ...],
) -> Integration:
    call = calls[node.key]
    inbound = call.direction == "inbound"
    downstream = graph.downstream(node.key)
    position = Position(
        starts_workflow=inbound,
        stops=len(downstream),
        stops_records=any(_keeps_records(calls[key]) for key in downstream if key in calls),
        stops_writes=any(calls[key].effect.access == WRITE for key in downstream if key in calls),
        on_every_way=on_every_way or graph.serves_one_of_all_ways(node.key),
        handled=node.continue_on_error or node.has_error_output,
    )
    return Integration(
        node_key=node.key,
        node_label=_shown(node.label),
        node_type=node.type,
        service=_shown(call.service.name),
        service_id=call.service.id,
        kind=call.service.kind,
        direction=call.direction,
        operation=_shown(call.operation),
        access=call.effect.access,
        method=call.method,
        host=call.host,
        host_note=_shown(call.host_note) if call.host_note else None,
        authentication=call.proof.authentication,
        credential=_shown(call.proof.credential) if call.proof.credential else None,
        inline_secret=call.proof.inline_secret,
        timeout_s=node.timeout_s or workflow.node_timeout_s or call.timeout_s,
        max_attempts=node.max_attempts or workflow.max_attempts or 1,
        continue_on_error=node.continue_on_error,
        upstream=graph.upstream(node.key),
        downstream=downstream,
        error_branch=graph.error_branch(node.key),
        repeats=repeats,
        criticality=criticality(call.service.kind, call.effect, position),
    )


@lru_cache(maxsize=4096)
def _shown(text: str) -> str:
    """The text without what looks like a secret; people paste them into labels and names of credentials, too."""
    return redact(text)


def sub_workflows(workflow: Workflow) -> set[str]:
    """Nodes that start another workflow: what that does, it would do again."""
    return {
        node.key
        for node in workflow.nodes
        if not node.disabled and node.type.rpartition(".")[2].removesuffix("Tool") in SUB_WORKFLOW_TYPES
    }


def _keeps_records(call: Call) -> bool:
    return call.effect.access == WRITE and call.service.kind in MONEY | RECORDS
