"""What history says about each integration."""

from datetime import UTC, datetime

from prefect import task

from runbooks.adapters.history import refresh_history
from runbooks.adapters.metrics import add_history
from runbooks.bootstrap import open_classifier, open_database
from runbooks.core.batch import Batch
from runbooks.settings import load_settings
from tasks.options import OPTIONS


@task(task_run_name="refresh connector metrics", **OPTIONS)
def refresh_connector_metrics(workflow_ids: list[str] | None = None) -> int:
    """Aggregate the window's calls in PostgreSQL, for all workflows or some; returns the number of nodes seen."""
    settings = load_settings()
    with open_database(settings).begin() as connection:
        return refresh_history(connection, days=settings.history_days, now=datetime.now(UTC), workflow_ids=workflow_ids)


@task(task_run_name="aggregate connector metrics", **OPTIONS)
def aggregate_connector_metrics(batch: Batch, *, include_historical_data: bool = True) -> Batch:
    """Give each integration its reliability, from the most specific history there is."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        return add_history(
            connection,
            batch,
            schema=database.schema,
            classify=open_classifier().classify,
            window_days=settings.history_days,
            include_historical_data=include_historical_data,
        )
