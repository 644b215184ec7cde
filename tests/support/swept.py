"""The steps of a sweep on a database, without Prefect."""

from datetime import UTC, datetime

from sqlalchemy import URL

from runbooks.adapters.catalogue_files import load_catalogue, load_classifier
from runbooks.adapters.database import Database
from runbooks.adapters.generation import generate_batch
from runbooks.adapters.history import refresh_history
from runbooks.adapters.metrics import add_history
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import find_changed, read_workflows
from runbooks.adapters.store import upsert_runbooks
from runbooks.adapters.writers import Writers
from runbooks.core.batch import Batch, with_integrations
from runbooks.core.catalogue_writer import CatalogueWriter

DAYS = 30


def sweep(url: URL, *, now: datetime | None = None) -> int:
    """Write and store the catalogue's runbook of every active workflow that changed; returns how many."""
    database = Database(url)
    try:
        return _sweep(database, now or datetime.now(UTC))
    finally:
        database.close()


def _sweep(database: Database, now: datetime) -> int:
    catalogue, schema = load_catalogue(), database.schema
    writers = Writers(catalogue=CatalogueWriter(catalogue), catalogue_version=catalogue.version)
    with database.begin() as connection:
        refresh_history(connection, days=DAYS, now=now)
        candidates = {one.workflow_id: one for one in find_changed(connection, schema=schema, wanted=writers.wanted)}
        workflows, _ = read_workflows(connection, list(candidates), schema=schema)
        batch = with_integrations(Batch(candidates, workflows=tuple(workflows)), load_node_knowledge(), {})
        batch = add_history(
            connection,
            batch,
            schema=schema,
            classify=load_classifier().classify,
            window_days=DAYS,
            include_historical_data=True,
        )
    done = generate_batch(batch, database=database, writers=writers, window_days=DAYS)
    with database.begin() as connection:
        return upsert_runbooks(connection, done.generated, schema=schema)
