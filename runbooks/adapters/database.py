"""One PostgreSQL, reached through SQLAlchemy; the one place where driver errors become ours."""

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from runbooks.adapters.schema import HostSchema, inspect_schema, is_current
from runbooks.errors import DatabaseError, DatabaseUnreachable, MissingPrivilege, SchemaOutdated, SettingsError

CONNECT_TIMEOUT_S = 10
INSUFFICIENT_PRIVILEGE = "42501"
UNDEFINED = {"42P01", "42703"}  # table, column


def parse_url(text: str) -> URL:
    """Read a PostgreSQL address in any of its usual spellings."""
    try:
        url = make_url(text)
    except ArgumentError as error:
        raise SettingsError("RUNBOOKS_DATABASE_URL is not an address like postgresql://user@host:5432/name") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError(f"RUNBOOKS_DATABASE_URL names {url.get_backend_name()}; only PostgreSQL is supported")
    return url.set(drivername="postgresql+psycopg")


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn what the driver raises into one line that says what to do."""
    try:
        yield
    except DBAPIError as error:
        line = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
        state = getattr(error.orig, "sqlstate", None)
        if state == INSUFFICIENT_PRIVILEGE:
            raise MissingPrivilege(f"the database refused: {line}") from error
        if state in UNDEFINED:
            raise SchemaOutdated(f"the database is not ready: {line}; run `runbooks migrate`") from error
        if isinstance(error, OperationalError) and (state is None or state.startswith(("08", "57P", "53", "28", "3D"))):
            raise DatabaseUnreachable(f"no connection to the database: {line}; check RUNBOOKS_DATABASE_URL") from error
        raise DatabaseError(f"the database answered {state or 'an error'}: {line}") from error


class Database:
    """A connection pool and what its schema looks like."""

    def __init__(self, url: str | URL) -> None:
        self.url = parse_url(url) if isinstance(url, str) else url

    @cached_property
    def engine(self) -> Engine:
        """The pool; made on first use, so that building a `Database` touches nothing."""
        return create_engine(
            self.url,
            pool_pre_ping=True,
            hide_parameters=True,  # an error message must not carry rows
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "runbooks"},
        )

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any error."""
        with driver_errors(), self.engine.begin() as connection:
            yield connection

    @cached_property
    def schema(self) -> HostSchema:
        """What the host's tables look like; SchemaOutdated when ours are not there yet."""
        with self.begin() as connection:
            if not is_current(connection):
                raise SchemaOutdated("the database is not migrated to this version; run `runbooks migrate`")
            return inspect_schema(connection)

    def valid_ids(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that the host's id type can hold; the others can name nothing."""
        return [value for value in ids if _fits(value, self.schema.id_type)]

    def close(self) -> None:
        """Give back all connections."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def _fits(value: str, id_type: str) -> bool:
    if id_type == "uuid":
        try:
            return bool(uuid.UUID(value))
        except ValueError:
            return False
    if id_type in {"bigint", "integer"}:
        return value.isascii() and value.isdigit() and int(value) < 2**63
    return True
