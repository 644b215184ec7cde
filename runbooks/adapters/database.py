"""One PostgreSQL, reached through SQLAlchemy; the place where the driver's errors become ours."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from runbooks.adapters.driver import explained, require_supported
from runbooks.adapters.schema import HostSchema, inspect_schema, is_current
from runbooks.errors import DatabaseUnreachable, SchemaOutdated, SettingsError

if TYPE_CHECKING:
    from runbooks.adapters.embedded_postgres import EmbeddedPostgres

CONNECT_TIMEOUT_S = 10
LONGEST_STATEMENT = "1h"
"""One pass over the history of a large and slow database takes minutes; what takes longer hangs."""
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}
"""A server that is gone without a word is noticed within a minute, instead of after hours."""
LARGEST = {"bigint": 2**63 - 1, "integer": 2**31 - 1, "smallint": 2**15 - 1}
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_url(text: str) -> URL:
    """Read a PostgreSQL address in any of its usual spellings."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:  # the latter for a port that is no number
        raise SettingsError("RUNBOOKS_DATABASE_URL is not an address like postgresql://user@host:5432/name") from error
    if url.get_backend_name() not in {"postgresql", "postgres"}:
        raise SettingsError(f"RUNBOOKS_DATABASE_URL names {url.get_backend_name()}; only PostgreSQL is supported")
    if "@" in (url.host or ""):  # the rest of the password, which errors would show as the host's name
        raise SettingsError("RUNBOOKS_DATABASE_URL has a user or password with an @: write %40 for it")
    return url.set(drivername="postgresql+psycopg")


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn what the driver raises into one line that says what to do."""
    try:
        yield
    except DBAPIError as error:
        raise explained(error) from error
    except PoolTimeout as error:
        raise DatabaseUnreachable("all connections of this process are in use; try again with less at once") from error


class Database:
    """A connection pool and what its schema looks like."""

    def __init__(self, url: str | URL, *, embedded: "EmbeddedPostgres | None" = None) -> None:
        self.url = parse_url(url) if isinstance(url, str) else url
        self._embedded = embedded

    @cached_property
    def engine(self) -> Engine:
        """The pool; made on first use, so that building a `Database` touches nothing."""
        return create_engine(
            self.url,
            pool_pre_ping=True,
            hide_parameters=True,  # an error message must not carry rows
            connect_args={"connect_timeout": CONNECT_TIMEOUT_S, "application_name": "runbooks", **KEEPALIVE},
        )

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any error."""
        with self._embedded_faults(), driver_errors(), self.engine.begin() as connection:
            require_supported(connection)
            # For this transaction only, which works behind a pooler as well.
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{LONGEST_STATEMENT}'")
            yield connection

    @contextmanager
    def _embedded_faults(self) -> Iterator[None]:
        """Nobody but us starts our own server again, for whoever tries once more."""
        try:
            yield
        except DatabaseUnreachable as error:
            if self._embedded is None:
                raise
            raise self._embedded.mended(error) from error

    @cached_property
    def schema(self) -> HostSchema:
        """What the host's tables look like; SchemaOutdated when ours are not there yet."""
        with self.begin() as connection:
            if not is_current(connection):
                raise SchemaOutdated("the database is not migrated to this version; run `runbooks migrate`")
            return inspect_schema(connection)

    def valid_ids(self, ids: Sequence[str]) -> list[str]:
        """Those of `ids` that the host's id type can hold; the others can name nothing."""
        return [value for value in ids if fits(value, self.schema.id_type)]

    def require_workspace_id(self, workspace_id: str | None) -> None:
        """Refuse what can name no workspace of this host; None stands for all of them."""
        if workspace_id is not None and not self.valid_ids([workspace_id]):
            raise SettingsError(f"{workspace_id!r} is no workspace id here: ids are of type {self.schema.id_type}")

    def close(self) -> None:
        """Give back all connections."""
        if "engine" in self.__dict__:
            self.engine.dispose()


def fits(value: str, id_type: str) -> bool:
    """Whether a column of this type can hold the id."""
    if id_type == "uuid":
        return UUID.fullmatch(value) is not None
    if id_type in LARGEST:
        return re.fullmatch("0|[1-9][0-9]{0,18}", value) is not None and int(value) <= LARGEST[id_type]
    return "\0" not in value
