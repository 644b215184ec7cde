"""One failed execution: the one scenario that fits it, on the row that the platform shows for it."""

from collections.abc import Callable
from typing import Any

from prefect import Task, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from runbooks import __version__
from runbooks.core.incident import Incident
from runbooks.core.incident_page import incident_markdown
from tasks.incident import (
    find_failed_execution,
    match_scenario,
    read_failed_node,
    read_known_workflow,
    upsert_reactive_runbook,
)

Step = Callable[[Task[..., Any]], Callable[..., Any]]


@flow(
    name="execution-failed",
    version=__version__,
    flow_run_name="explain failed execution {execution_id}",
    persist_result=False,
)
def execution_failed(execution_id: str) -> Incident:
    """Write the runbook of a failed execution: what failed, what fits, what a re-run would repeat.

    Args:
        execution_id: Id of the failed execution as the platform shows it.
    """
    incident = meet_incident(execution_id, step=lambda task: task)
    create_markdown_artifact(incident_markdown(incident), key="incident-runbook", description=incident.title)
    get_run_logger().info("%s: row %s %s", incident.title, incident.runbook_id, incident.outcome)
    return incident


def meet_incident(execution_id: str, *, step: Step) -> Incident:
    """Explain and store; `step` says how a task is called: as a task run, or as the bare function.

    The platform may write its own text over the row at any time; running this again restores ours.
    """
    execution = step(find_failed_execution)(execution_id)
    known = step(read_known_workflow)(execution.workflow_id)
    failure = step(read_failed_node)(execution, known)
    incident = step(match_scenario)(failure, known)
    stored: Incident = step(upsert_reactive_runbook)(incident)
    return stored
