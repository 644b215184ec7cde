"""Running the flows: as Prefect flow runs when a server is configured, else as the bare functions."""

import logging

from app.api.edge import where
from runbooks.core.runbook import Runbook
from runbooks.errors import RunbooksError

log = logging.getLogger("app.api.writing")


def load_flows() -> None:
    """Import Prefect and the flows, so that the first request does not wait for that."""
    import flows.execution_failed
    import flows.workflow_published  # noqa: F401 - imported for the sake of it


def has_prefect_server() -> bool:
    """Whether flow runs are recorded anywhere."""
    from app.prefect_session import server_is_configured

    return server_is_configured()


def write_incident(execution_id: str) -> None:
    """Write the reactive runbook of a failed execution."""
    from flows.execution_failed import execution_failed, meet_incident

    if has_prefect_server():
        try:
            execution_failed(execution_id)
        except RunbooksError:
            raise
        except Exception as error:  # whoever is on call waits for it
            log.warning("the flow run failed (%s); running without Prefect", where(error))
        else:
            return
    meet_incident(execution_id, step=lambda task: task.fn)


def write_runbook(workflow_id: str, *, include_historical_data: bool, full: bool) -> Runbook:
    """Write and store the runbook of one workflow."""
    from flows.workflow_published import workflow_published, write_one

    if has_prefect_server():
        try:
            return workflow_published(workflow_id, include_historical_data, "auto", full=full)
        except RunbooksError:
            raise
        except Exception as error:  # a runbook does not depend on Prefect's server being up
            log.warning("the flow run failed (%s); running without Prefect", where(error))
    return write_one(
        workflow_id,
        include_historical_data=include_historical_data,
        writer="auto",
        full=full,
        step=lambda task: task.fn,
    )
