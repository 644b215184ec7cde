"""The host as it is found, as far as the migration depends on it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from runbooks.errors import DatabaseError
from runbooks.migrations.catalog import existing, has_key, is_table, not_null_name, read_columns, schemas_with
from runbooks.migrations.v0001.platform import TABLES


@dataclass(frozen=True)
class Host:
    """What was found. The defaults are what standalone mode creates."""

    id_type: str = "uuid"
    runbook_id_type: str = "uuid"
    runbook_columns: frozenset[str] = frozenset({"execution_id"})
    execution_id_required: bool = False
    execution_id_rule: str | None = None
    """Name of the NOT NULL constraint on `execution_runbooks.execution_id`, from PostgreSQL 18 on."""
    workflows_have_key: bool = True
    runbooks_have_key: bool = True
    rows_lead_to_workflows: bool = False
    """Whether the workflow of an existing row can be found by its execution."""


STANDALONE = Host()


def look(connection: Connection) -> Host | None:
    """Look at the platform's tables; None when there are none."""
    found = existing(connection, TABLES)
    if not {"workflows", "execution_runbooks"} & set(found):
        _refuse_to_settle(connection, found)
        return None
    workflows = read_columns(connection, "workflows")
    runbooks = read_columns(connection, "execution_runbooks")
    _require_id("workflows", workflows)
    _require_id("execution_runbooks", runbooks)
    if not is_table(connection, "execution_runbooks"):
        raise DatabaseError("execution_runbooks is a view; runbooks needs the table behind it in the search path")
    return Host(
        id_type=workflows["id"].sql_type,
        runbook_id_type=runbooks["id"].sql_type,
        runbook_columns=frozenset(runbooks),
        execution_id_required="execution_id" in runbooks and runbooks["execution_id"].required,
        execution_id_rule=not_null_name(connection, "execution_runbooks", "execution_id"),
        workflows_have_key=has_key(connection, "workflows", "id"),
        runbooks_have_key=has_key(connection, "execution_runbooks", "id"),
        rows_lead_to_workflows="execution_id" in runbooks
        and {"id", "workflow_id"} <= set(read_columns(connection, "executions")),
    )


def _refuse_to_settle(connection: Connection, found: Sequence[str]) -> None:
    """Standalone mode takes a database of its own: not another application's, not the platform's seen from aside."""
    elsewhere = schemas_with(connection, "execution_runbooks")
    if elsewhere:
        raise DatabaseError(
            f"the platform's tables are in schema {elsewhere[0]}, which is not in the search path; "
            f"add ?options=-csearch_path%3D{elsewhere[0]} to RUNBOOKS_DATABASE_URL"
        )
    if found:
        raise DatabaseError(
            f"the database has a table {found[0]} but no workflows: another application lives here; "
            "give runbooks a database of its own, or the platform's"
        )


def _require_id(table: str, columns: Collection[str]) -> None:
    if not columns:
        raise DatabaseError(f"the platform's table {table} is missing; bring the platform up to date first")
    if "id" not in columns:
        raise DatabaseError(f"the platform's table {table} has no column id; is this the platform's database?")
