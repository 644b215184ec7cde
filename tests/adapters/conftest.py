"""Platform databases, migrated, of each kind that there is; shared by all tests, which leave nothing behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, NullPool, create_engine

from runbooks.adapters.schema import upgrade
from tests.support import hosts
from tests.support.hosts import run_sql
from tests.support.postgres import create_database, drop_database

HOST_FILES = {"older": "older_host.sql", "newer": "newer_host.sql"}


@pytest.fixture(scope="session")
def platforms(postgres_server: URL) -> Iterator[dict[str, URL]]:
    """Addresses by kind: a standalone database, and a host's of either generation with its few rows."""
    found = {kind: create_database(postgres_server) for kind in ("standalone", *HOST_FILES)}
    for kind, file in HOST_FILES.items():
        run_sql(found[kind], (Path(hosts.__file__).parent / file).read_text())
    for url in found.values():
        upgrade(url)
    yield found
    for url in found.values():
        drop_database(postgres_server, url)


@pytest.fixture(params=["standalone", *HOST_FILES])
def connection(request: pytest.FixtureRequest, platforms: dict[str, URL]) -> Iterator[Connection]:
    """A transaction on a database of each kind, rolled back at the end."""
    with _rolled_back(platforms[request.param]) as connection:
        yield connection


@pytest.fixture
def standalone(platforms: dict[str, URL]) -> Iterator[Connection]:
    """The same on a standalone database, for what does not depend on the host."""
    with _rolled_back(platforms["standalone"]) as connection:
        yield connection


@contextmanager
def _rolled_back(url: URL) -> Iterator[Connection]:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        transaction = connection.begin()
        yield connection
        if transaction.is_active:
            transaction.rollback()
