"""One workflow: a runbook now, because it was published or somebody asks for it."""

import uuid
from collections.abc import Callable
from typing import Any

from prefect import Task, flow, get_run_logger
from prefect.artifacts import create_markdown_artifact

from flows.run_info import rename_run
from runbooks import __version__
from runbooks.adapters.interruption import interrupt
from runbooks.core.markdown import to_markdown
from runbooks.core.runbook import Runbook
from runbooks.core.sweep_text import artifact_key
from runbooks.errors import DefinitionError
from runbooks.settings import WriterChoice
from tasks.batch import Orders, run_steps
from tasks.fetch import find_workflow, read_stored_runbook
from tasks.metrics import refresh_connector_metrics

Step = Callable[[Task[..., Any]], Callable[..., Any]]


@flow(name="workflow-published", version=__version__, flow_run_name="runbook for {workflow_id}", persist_result=False)
def workflow_published(
    workflow_id: str, include_historical_data: bool = True, writer: WriterChoice = "auto", full: bool = False
) -> Runbook:
    """Write and store the runbook of one workflow.

    Args:
        workflow_id: Id of the workflow as the platform shows it.
        include_historical_data: Use what history says about its integrations.
        writer: Who writes. auto: the language model when one is configured, else the catalogue.
        full: Write it anew although nothing changed.
    """
    try:
        runbook = write_one(
            workflow_id.strip(),
            include_historical_data=include_historical_data,
            writer=writer,
            full=full,
            step=lambda task: task,
        )
    except BaseException:  # cancelled: the model's answer is not waited for
        interrupt()
        raise
    rename_run(f"runbook · {runbook.title.removeprefix('Runbook: ')}")
    create_markdown_artifact(to_markdown(runbook), key=artifact_key(workflow_id), description=runbook.title)
    logger = get_run_logger()
    logger.info("%s: %d sections, by %s", runbook.title, len(runbook.sections), runbook.provenance.writer)
    return runbook


def write_one(
    workflow_id: str, *, include_historical_data: bool, writer: WriterChoice, full: bool, step: Step
) -> Runbook:
    """Run the pipeline for one workflow; `step` says how a task is called: as a task run, or as the bare function.

    The bare functions serve a command line without a Prefect server, which would cost ten seconds to start.
    """
    step(find_workflow)(workflow_id)  # an id that names nothing is told before anything is counted
    step(refresh_connector_metrics)([workflow_id])
    candidate = step(find_workflow)(workflow_id)
    orders = Orders(writer=writer, run_id=uuid.uuid4().hex, include_historical_data=include_historical_data, full=full)
    outcome = run_steps([candidate], orders, lambda task, value, **options: step(task)(value, **options))
    for failed in outcome.failed:
        raise DefinitionError(f"workflow {failed.workflow_id}: {failed.reason}")
    runbook: Runbook = step(read_stored_runbook)(workflow_id)
    return runbook
