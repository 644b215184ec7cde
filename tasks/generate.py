"""Writing the runbooks."""

from prefect import task

from runbooks.adapters.generation import generate_batch
from runbooks.bootstrap import open_database, open_writers
from runbooks.core.batch import Batch
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.settings import WriterChoice, load_settings
from tasks.options import OPTIONS


@task(task_run_name="generate runbooks", **OPTIONS)
def generate_runbooks(
    batch: Batch, *, writer: WriterChoice, run_id: str, full: bool = False, budget: Allowance = UNLIMITED
) -> Batch:
    """Write a runbook for each workflow of the batch whose content differs from what its stored one was made from."""
    settings = load_settings()
    return generate_batch(
        batch,
        database=open_database(settings),
        writers=open_writers(settings, writer, run_id, budget),
        window_days=settings.history_days,
        full=full,
    )
