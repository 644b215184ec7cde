"""Prefect's own database, in the same PostgreSQL as ours."""

from contextlib import suppress

import psycopg
from psycopg.errors import DuplicateDatabase, InsufficientPrivilege, UniqueViolation
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from runbooks.errors import DatabaseUnreachable, MissingPrivilege

NAME = "prefect"
CONNECT_TIMEOUT_S = 10


def ensure_prefect_database(url: URL) -> URL:
    """Create Prefect's database beside the one of this address unless it is there; returns its address."""
    place = url.set(drivername="postgresql").render_as_string(hide_password=False)
    try:
        with psycopg.connect(place, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as server:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if server.execute(query, [NAME]).fetchone() is None:
                with suppress(DuplicateDatabase, UniqueViolation):  # another process may be faster
                    server.execute(SQL("CREATE DATABASE {}").format(Identifier(NAME)))
    except InsufficientPrivilege as error:
        raise MissingPrivilege(
            f"the database user may not create the database {NAME!r} for Prefect: have it created, "
            "or set PREFECT_API_DATABASE_CONNECTION_URL, or PREFECT_API_URL of a server that runs"
        ) from error
    except psycopg.OperationalError as error:
        line = str(error).strip().partition("\n")[0]
        raise DatabaseUnreachable(f"no connection to the database: {line}; check RUNBOOKS_DATABASE_URL") from error
    return url.set(database=NAME)


def for_asyncpg(url: URL) -> str:
    """The address as Prefect's driver takes it: what it knows of libpq's options, the mode of encryption as `ssl`."""
    known = {"sslmode": "ssl", "target_session_attrs": "target_session_attrs"}
    query = {known[name]: value for name, value in url.query.items() if name in known}
    return url.set(drivername="postgresql+asyncpg", query=query).render_as_string(hide_password=False)
