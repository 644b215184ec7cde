"""From a failed execution to the runbook that meets it."""

from prefect import task

from runbooks.adapters.failed_executions import find_failed, read_failure
from runbooks.adapters.known_workflows import read_known
from runbooks.adapters.reactive_store import upsert_incident
from runbooks.bootstrap import open_classifier, open_database, open_writers
from runbooks.core.facts import Facts
from runbooks.core.failed_execution import Execution, Failure
from runbooks.core.incident import Incident, explain
from runbooks.core.known_workflow import Known
from runbooks.core.runbook import Runbook
from runbooks.errors import ExecutionNotFound
from runbooks.settings import load_settings
from tasks.options import OPTIONS

WRITER_NAME = "incidents"


@task(**OPTIONS)
def find_failed_execution(execution_id: str) -> Execution:
    """Find an execution that failed."""
    database = open_database(load_settings())
    if not database.valid_ids([execution_id]):
        raise ExecutionNotFound(f"{execution_id!r} is no execution id here: ids are of type {database.schema.id_type}")
    with database.begin() as connection:
        return find_failed(connection, execution_id, schema=database.schema)


@task(**OPTIONS)
def read_known_workflow(workflow_id: str) -> Known:
    """Read the stored runbook and the definition of an active workflow."""
    database = open_database(load_settings())
    with database.begin() as connection:
        return read_known(connection, workflow_id, schema=database.schema)


@task(**OPTIONS)
def read_failed_node(execution: Execution, known: Known) -> Failure:
    """Read where the execution failed, what had run before, and what failed there earlier."""
    settings = load_settings()
    database = open_database(settings)
    with database.begin() as connection:
        return read_failure(
            connection,
            execution,
            survived=known.survived,
            window_days=settings.history_days,
            schema=database.schema,
        )


@task(**OPTIONS)
def match_scenario(failure: Failure, known: Known) -> Incident:
    """Find the scenario that fits, in the stored runbook or else in the catalogue."""
    return explain(failure, known, open_classifier(), _write)


def _write(facts: Facts) -> Runbook:
    """Write from the catalogue, which is loaded only now: most failures find their scenario in a stored runbook."""
    return open_writers(load_settings(), "catalogue", WRITER_NAME).catalogue.write(facts)


@task(**OPTIONS)
def upsert_reactive_runbook(incident: Incident) -> Incident:
    """Store it on the row of the execution, unless a person edited that."""
    database = open_database(load_settings())
    with database.begin() as connection:
        return upsert_incident(connection, incident, schema=database.schema)
