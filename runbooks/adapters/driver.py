"""What the errors of the PostgreSQL driver say, in one line each."""

import psycopg
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from runbooks.errors import DatabaseError, DatabaseFull, DatabaseUnreachable, MissingPrivilege, SchemaOutdated

INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED = {"42P01", "42703"}  # table, column
DISK_FULL = "53100"
UNREACHABLE = ("08", "28", "3D", "53", "57P")  # connection, login, no such database, no resources, shutdown
CHECK = "check RUNBOOKS_DATABASE_URL"
OLDEST = 14
"""The oldest PostgreSQL whose SQL is ours."""


def require_supported(connection: Connection) -> None:
    """Refuse a server that is too old before it answers with syntax errors."""
    found = connection.dialect.server_version_info
    if found is not None and found < (OLDEST,):
        version = ".".join(map(str, found))
        raise DatabaseError(
            f"the database is PostgreSQL {version}, and {OLDEST} or newer is needed; "
            "upgrade it, or set RUNBOOKS_DATABASE_URL to another"
        )


def state_of(error: DBAPIError) -> str | None:
    """The SQLSTATE; None when the error is not the server's."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def line_of(error: DBAPIError) -> str:
    """The first line: those that follow are details, which may hold rows."""
    return str(error.orig).strip().partition("\n")[0] or type(error.orig).__name__


def unreachable(error: DBAPIError) -> DatabaseUnreachable | None:
    """Explain why there is no connection or no space, if that is what is wrong."""
    state = state_of(error)
    if state == DISK_FULL:
        return DatabaseFull(f"the disk of the database is full: {line_of(error)}; free some space there")
    if state.startswith(UNREACHABLE) if state else isinstance(error, OperationalError):
        return DatabaseUnreachable(f"no connection to the database: {line_of(error)}; {CHECK}")
    return None


def explained(error: DBAPIError) -> DatabaseError:
    """Our error for the driver's."""
    state, line = state_of(error), line_of(error)
    if state == INSUFFICIENT_PRIVILEGE:
        return MissingPrivilege(f"the database refused: {line}; ask its owner for that right")
    if state in UNDEFINED:
        return SchemaOutdated(f"the database is not ready: {line}; run `runbooks migrate`")
    return unreachable(error) or DatabaseError(f"the database answered {state or 'an error'}: {line}")
