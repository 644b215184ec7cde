"""`runbooks generate` and `runbooks show`: one workflow."""

from app.console import say
from app.coverage import show_markdown
from runbooks.adapters.store import read_fallback_reason, read_runbook
from runbooks.bootstrap import open_database
from runbooks.core.markdown import to_markdown
from runbooks.core.runbook import Runbook
from runbooks.errors import RunbookNotFound
from runbooks.settings import WriterChoice, load_settings


def run_generate(workflow_id: str, *, historical_data: bool, writer: WriterChoice, output: str) -> int:
    """Write and store one runbook, as a flow run when a Prefect server is configured, else directly."""
    from app.prefect_session import quiet_prefect, server_is_configured

    quiet_prefect()
    from flows.workflow_published import workflow_published, write_one
    from tasks.telling import speaker

    speaker.set(say)
    if server_is_configured():
        runbook = workflow_published(workflow_id, historical_data, writer, full=True)
    else:
        runbook = write_one(
            workflow_id,
            include_historical_data=historical_data,
            writer=writer,
            full=True,
            step=lambda task: task.fn,
        )
    print_runbook(runbook, output)
    _tell_fallback(workflow_id)
    return 0


def _tell_fallback(workflow_id: str) -> None:
    """Say why it is not the model's, when a model was asked for."""
    database = open_database(load_settings())
    with database.begin() as connection:
        reason = read_fallback_reason(connection, workflow_id, schema=database.schema)
    if reason is not None:
        say(f"the catalogue wrote it although a model was asked: {reason}")


def run_show(workflow_id: str, *, output: str) -> int:
    """Print a stored runbook."""
    print_runbook(stored_runbook(workflow_id), output)
    return 0


def stored_runbook(workflow_id: str) -> Runbook:
    """The stored runbook of a workflow; RunbookNotFound when there is none."""
    database = open_database(load_settings())
    runbook = None
    if database.valid_ids([workflow_id]):
        with database.begin() as connection:
            runbook = read_runbook(connection, workflow_id, schema=database.schema)
    if runbook is None:
        raise RunbookNotFound(f"workflow {workflow_id!r} has no runbook; try `runbooks generate {workflow_id}`")
    return runbook


def print_runbook(runbook: Runbook, output: str) -> None:
    """Print as Markdown or JSON."""
    if output == "json":
        print(runbook.model_dump_json(indent=2))
    else:
        show_markdown(to_markdown(runbook))
