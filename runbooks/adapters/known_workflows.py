"""What is known of the workflow of a failed execution: its stored runbook, its definition, whom it tells."""

from sqlalchemy import Connection

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import read_node_catalogue, read_workflows, read_workspace_settings
from runbooks.adapters.schema import HostSchema
from runbooks.adapters.store import read_runbook
from runbooks.core.batch import initial_facts
from runbooks.core.escalation import escalation_from
from runbooks.core.facts import Facts
from runbooks.core.known_workflow import Known
from runbooks.errors import WorkflowNotFound


def read_known(connection: Connection, workflow_id: str, *, schema: HostSchema) -> Known:
    """Read it; WorkflowNotFound when the workflow is not active."""
    workflows, unreadable = read_workflows(connection, [workflow_id], schema=schema)
    if not workflows and not unreadable:
        raise WorkflowNotFound(f"workflow {workflow_id} of that execution is not active; activate it first")
    runbook = read_runbook(connection, workflow_id, schema=schema)
    if not workflows:
        return Known(runbook=runbook, problem=f"workflow {workflow_id}: {unreadable[0].reason}")
    facts = initial_facts(workflows[0], load_node_knowledge(), read_node_catalogue(connection))
    return Known(runbook=runbook, facts=_with_contacts(connection, facts, schema))


def _with_contacts(connection: Connection, facts: Facts, schema: HostSchema) -> Facts:
    workspace = facts.workflow.workspace_id
    settings = read_workspace_settings(connection, [workspace] if workspace else [], schema=schema)
    return facts.model_copy(update={"escalation_matrix": escalation_from(settings.get(workspace, {}))})
