"""The database's schema: what it looks like, and moving it to this version and back."""

import io
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, NullPool, create_engine, make_url, text
from sqlalchemy.exc import DBAPIError

from runbooks import migrations
from runbooks.adapters.driver import INSUFFICIENT_PRIVILEGE, line_of, require_supported, state_of, unreachable
from runbooks.errors import DatabaseError, MissingPrivilege, SchemaOutdated
from runbooks.migrations import HEAD, VERSION_TABLE
from runbooks.migrations.catalog import read_columns

CONNECT_TIMEOUT_S = 10
BUSY = {"55P03", "57014"}  # lock not available, query cancelled
DEPENDENT = "2BP01"
HAND_OVER = "run `runbooks migrate --sql` and hand its output to the database's administrator"
AS_OWNER = "run it as the owner of the tables"
SQL_HEADER = """\
-- Brings this database, as it is now, to the schema that runbooks needs: all or nothing, in one transaction.
-- Run it with psql as the owner of execution_runbooks, or as a superuser.

"""
UP_TO_DATE = "-- The database is up to date: there is nothing to run.\n"

# Alembic keeps the migration that runs in module globals: one at a time in a process.
_ALEMBIC = threading.Lock()


@dataclass(frozen=True)
class HostSchema:
    """What the platform's tables look like here."""

    id_type: str
    """SQL type of `workflows.id`."""
    standalone: bool
    """Whether we created the platform's tables."""
    runbook_columns: Mapping[str, str]
    """SQL types of the columns of `execution_runbooks` that can be written, by name."""
    runbook_id_default: bool
    """Whether the database fills `execution_runbooks.id`."""
    credentials_readable: bool = False
    """Whether our user may read the names and dates of credentials; what is in them is never read."""


CREDENTIAL_COLUMNS = {
    "credentials": ("id", "name", "type", "expires_at", "created_at", "updated_at"),
    "workflow_credentials": ("workflow_id", "credential_id", "node_id"),
}


def inspect_schema(connection: Connection) -> HostSchema:
    """Read the platform's tables from the database's catalogue."""
    workflows = read_columns(connection, "workflows")
    runbooks = read_columns(connection, "execution_runbooks")
    for table, columns in {"workflows": workflows, "execution_runbooks": runbooks}.items():
        if not columns:
            raise SchemaOutdated(f"the database has no table {table}; run `runbooks migrate`")
        if "id" not in columns:
            raise DatabaseError(f"the table {table} has no column id; is this the platform's database?")
    return HostSchema(
        id_type=workflows["id"].sql_type,
        standalone=_is_standalone(connection),
        runbook_columns={name: column.sql_type for name, column in runbooks.items()},
        runbook_id_default=runbooks["id"].has_default,
        credentials_readable=all(_may_read(connection, *table) for table in CREDENTIAL_COLUMNS.items()),
    )


def is_current(connection: Connection) -> bool:
    """Whether the database is migrated to this version."""
    return _version(connection) == HEAD


def upgrade(url: str | URL) -> list[str]:
    """Add what is missing, all or nothing; returns what was done. Safe to run twice and from several places at once."""
    with _ALEMBIC, _transaction(url, otherwise=HAND_OVER) as connection:
        if is_current(connection):  # answers without any right to change
            return []
        config = _config(connection)
        command.upgrade(config, "head")
        return list(config.attributes["log"])


def upgrade_sql(url: str | URL) -> str:
    """Write the SQL that `upgrade` would run on this very database, for whoever may run it. Changes nothing."""
    with _ALEMBIC, _transaction(url) as connection:
        if is_current(connection):
            return UP_TO_DATE
        output = io.StringIO()
        config = _config(connection, output=output)
        command.upgrade(config, f"{_version(connection) or 'base'}:head", sql=True)
        return SQL_HEADER + output.getvalue()


def downgrade(url: str | URL) -> list[str]:
    """Remove what `upgrade` added, proactive rows included; returns what was done."""
    with _ALEMBIC, _transaction(url, otherwise=AS_OWNER) as connection:
        if _version(connection) is None:
            return []
        config = _config(connection)
        command.downgrade(config, "base")
        connection.execute(text(f"DROP TABLE IF EXISTS {VERSION_TABLE}"))
        return list(config.attributes["log"])


def proactive_rows(url: str | URL) -> int:
    """How many rows a downgrade deletes because the old schema has no place for them."""
    with _transaction(url) as connection:
        if _version(connection) is None:
            return 0
        query = "SELECT count(*) FROM execution_runbooks WHERE type = 'proactive'"
        return int(connection.execute(text(query)).scalar_one())


def _config(connection: Connection, *, output: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=output, attributes={"connection": connection, "log": [], "tables": []})
    folder = str(Path(migrations.__file__).parent)
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _version(connection: Connection) -> str | None:
    if not _exists(connection, VERSION_TABLE):
        return None
    versions = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalars().all()  # noqa: S608 - a constant
    return versions[0] if versions else None


def _is_standalone(connection: Connection) -> bool:
    if not _exists(connection, "runbook_host_changes"):
        return False
    query = "SELECT EXISTS (SELECT FROM runbook_host_changes WHERE change = 'platform')"
    return bool(connection.execute(text(query)).scalar_one())


def _may_read(connection: Connection, table: str, columns: Sequence[str]) -> bool:
    if not read_columns(connection, table).keys() >= set(columns):
        return False
    query = "SELECT bool_and(has_column_privilege(:table, name, 'SELECT')) FROM unnest(CAST(:names AS text[])) name"
    return bool(connection.execute(text(query), {"table": table, "names": list(columns)}).scalar_one())


def _exists(connection: Connection, table: str) -> bool:
    return bool(connection.execute(text("SELECT to_regclass(:name) IS NOT NULL"), {"name": table}).scalar_one())


@contextmanager
def _transaction(url: str | URL, *, otherwise: str = "ask its owner for that right") -> Iterator[Connection]:
    engine = create_engine(
        make_url(url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        isolation_level="READ COMMITTED",  # whoever waited for another migration has to see what it did
        hide_parameters=True,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "runbooks migrate"},
    )
    try:
        with engine.begin() as connection:
            require_supported(connection)
            yield connection
    except DBAPIError as error:
        raise _explained(error, engine.url, otherwise) from error
    except CommandError as error:
        raise DatabaseError(
            f"the database was migrated by a newer version of runbooks; use that one ({error})"
        ) from error


def _explained(error: DBAPIError, url: URL, otherwise: str) -> DatabaseError:
    state, line = state_of(error), line_of(error)
    if state == INSUFFICIENT_PRIVILEGE:
        return MissingPrivilege(f"the database refused user {url.username}: {line}; {otherwise}")
    if state in BUSY:
        return DatabaseError(f"nothing was changed, others keep the tables busy: {line}; try again at a quiet hour")
    if state == DEPENDENT and isinstance(error.orig, psycopg.Error):  # the detail names what depends on it
        line = str(error.orig.diag.message_detail).partition("\n")[0]
    return unreachable(error) or DatabaseError(f"nothing was changed, the database answered {state}: {line}")
