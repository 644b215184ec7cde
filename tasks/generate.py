"""Writing the runbooks."""

from prefect import task

from runbooks.adapters.generation import generate_batch
from runbooks.bootstrap import open_database, open_writers
from runbooks.core.batch import Batch
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.settings import WriterChoice, load_settings
from tasks.options import OPTIONS
from tasks.shared_slots import shared_slots
from tasks.telling import tell


@task(task_run_name="generate runbooks", **OPTIONS)
def generate_runbooks(
    batch: Batch,
    *,
    writer: WriterChoice,
    run_id: str,
    full: bool = False,
    budget: Allowance = UNLIMITED,
    asked_before: str | None = None,
) -> Batch:
    """Write a runbook for each workflow of the batch whose content differs from what its stored one was made from.

    `asked_before`: the model was asked ahead, and this is why it is not asked for what it did not answer.
    """
    settings = load_settings()
    writers = open_writers(settings, writer, run_id, budget)
    if writers.llm and asked_before:
        writers.llm.ask_no_more(asked_before)
    with shared_slots(settings, len(batch.facts) if writers.llm and not asked_before else 0) as refusal:
        if writers.llm and refusal:
            writers.llm.breaker.open(refusal)
        return generate_batch(
            batch,
            database=open_database(settings),
            writers=writers,
            window_days=settings.history_days,
            full=full,
            patience_s=settings.database_patience_s,
            tell=tell,
        )
