"""Storing the runbooks."""

from prefect import task

from runbooks.adapters.memory import give_back
from runbooks.adapters.store import mark_unchanged
from runbooks.adapters.store import upsert_runbooks as upsert
from runbooks.bootstrap import open_database
from runbooks.core.batch import Batch
from runbooks.core.report import BatchOutcome, outcome_of
from runbooks.settings import load_settings
from tasks.options import OPTIONS


@task(task_run_name="upsert runbooks", **OPTIONS)
def upsert_runbooks(batch: Batch) -> BatchOutcome:
    """Store a batch in one transaction, all of it or nothing, and return only counts."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        upsert(
            connection,
            batch.generated,
            schema=database.schema,
            status=settings.proactive_status,
            reopened_status=settings.reopened_status,
        )
        mark_unchanged(connection, batch.unchanged, schema=database.schema)
    give_back()
    return outcome_of(batch)
