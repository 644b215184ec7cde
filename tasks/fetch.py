"""Fetching what changed."""

from collections import UserList
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime

from prefect import task
from sqlalchemy import Connection

from runbooks.adapters.history import refresh_history
from runbooks.adapters.platform import count_active, find_changed, find_one, read_workflows
from runbooks.adapters.store import read_runbook
from runbooks.bootstrap import open_database, open_writers
from runbooks.core.batch import Batch, Candidate
from runbooks.core.runbook import Runbook
from runbooks.core.shard import Shard
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.errors import RunbookNotFound, WorkflowNotFound
from runbooks.settings import WriterChoice, load_settings
from tasks.options import OPTIONS


@task(task_run_name="count active workflows", **OPTIONS)
def count_active_workflows(workspace_id: str | None) -> int:
    """Count the workflows that should have a runbook."""
    database = open_database(load_settings())
    database.require_workspace_id(workspace_id)
    with database.begin() as connection:
        return count_active(connection, schema=database.schema, workspace_id=workspace_id)


@task(task_run_name="find changed workflows", **OPTIONS)
def find_changed_workflows(
    workspace_id: str | None,
    *,
    full: bool,
    writer: WriterChoice,
    run_id: str,
    budget: Allowance = UNLIMITED,
    shard: Shard | None = None,
    rehearsal: bool = False,
) -> Sequence[Candidate]:
    """Find the active workflows that need a new runbook, busiest first, in one pass inside the database.

    `rehearsal`: with the history of now, as it is refreshed by a sweep, and of which nothing is kept.
    """
    settings = load_settings()
    database = open_database(settings)
    wanted = open_writers(settings, writer, run_id, budget).wanted
    schema = database.schema
    with database.begin() as connection, _forgotten(connection) if rehearsal else nullcontext():
        if rehearsal:
            refresh_history(connection, days=settings.history_days, now=datetime.now(UTC))
        found = find_changed(
            connection, schema=schema, wanted=wanted, workspace_id=workspace_id, full=full, shard=shard
        )
    return UserList(found)  # no list: of that, Prefect would note down each of a hundred thousand items


@contextmanager
def _forgotten(connection: Connection) -> Iterator[None]:
    """Take back all that is done in here."""
    savepoint = connection.begin_nested()
    try:
        yield
    finally:
        savepoint.rollback()


@task(task_run_name="find workflow", **OPTIONS)
def find_workflow(workflow_id: str) -> Candidate:
    """Find one workflow, changed or not."""
    database = open_database(load_settings())
    if not database.valid_ids([workflow_id]):
        raise WorkflowNotFound(f"{workflow_id!r} is no workflow id here: ids are of type {database.schema.id_type}")
    with database.begin() as connection:
        return find_one(connection, workflow_id, schema=database.schema)


@task(task_run_name="fetch changed workflows", **OPTIONS)
def fetch_changed_workflows(candidates: list[Candidate]) -> Batch:
    """Read and parse the definitions of one batch."""
    database = open_database(load_settings())
    by_id = {candidate.workflow_id: candidate for candidate in candidates}
    with database.begin() as connection:
        workflows, failed = read_workflows(connection, list(by_id), schema=database.schema)
    return Batch(candidates=by_id, workflows=tuple(workflows), failed=tuple(failed))


@task(task_run_name="read stored runbook", **OPTIONS)
def read_stored_runbook(workflow_id: str) -> Runbook:
    """Read the proactive runbook of one workflow."""
    database = open_database(load_settings())
    with database.begin() as connection:
        runbook = read_runbook(connection, workflow_id, schema=database.schema)
    if runbook is None:
        raise RunbookNotFound(f"workflow {workflow_id!r} has no runbook yet; run `runbooks generate {workflow_id}`")
    return runbook
