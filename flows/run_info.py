"""What a flow run shows of itself: its name, and who is told when it fails."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from prefect import get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.events import emit_event
from prefect.exceptions import PrefectException
from prefect.flows import Flow
from prefect.runtime import flow_run as current_run

from runbooks.errors import RunbooksError

FAILED = "runbooks.sweep.failed"


def rename_run(name: str) -> None:
    """Give this run a name that says what it does, once that is known; a name is not worth a failure."""
    run_id = current_run.id
    if run_id is None:
        return
    try:
        with get_client(sync_client=True) as client:
            client.update_flow_run(UUID(run_id), name=name)
    except (PrefectException, OSError) as error:
        get_run_logger().debug("the run keeps its first name: %s", type(error).__name__)


def announce_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:  # noqa: ARG001 - Prefect's
    """Tell whoever listens that a sweep failed or crashed; what foreign errors say may quote data and stays here."""
    error = getattr(state.data, "result", None)
    reason = str(error) if isinstance(error, RunbooksError) else ""
    payload = {"run": str(flow_run.id), "name": flow_run.name, "state": state.name, "reason": reason}
    emit_event(FAILED, resource={"prefect.resource.id": "runbooks.sweep"}, payload=payload)


def today() -> str:
    """The day, as run names give it."""
    return f"{datetime.now(UTC):%Y-%m-%d}"
