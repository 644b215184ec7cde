"""Databases for tests: a real PostgreSQL, and a fresh database of it for each test.

`RUNBOOKS_TEST_DATABASE_URL` names another server (its maintenance database); unset, the embedded one is started.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import URL, create_engine, make_url, text
from sqlalchemy.engine import Engine

from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.schema import upgrade


@contextmanager
def _admin(server: URL) -> Iterator[Engine]:
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    try:
        yield engine
    finally:
        engine.dispose()


def create_database(server: URL, *, template: str = "template1") -> URL:
    """Create a database with a name of its own and return its address."""
    name = f"t_{uuid.uuid4().hex}"
    with _admin(server) as engine, engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'))
    return server.set(database=name)


def drop_database(server: URL, url: URL) -> None:
    """Drop a database, whoever is still connected."""
    with _admin(server) as engine, engine.connect() as connection:
        connection.execute(text(f'DROP DATABASE IF EXISTS "{url.database}" WITH (FORCE)'))


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> URL:
    """Address of the maintenance database of a running PostgreSQL."""
    given = os.environ.get("RUNBOOKS_TEST_DATABASE_URL")
    if given:
        return make_url(given).set(drivername="postgresql+psycopg")
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"))
    server.start()
    return make_url(server.url("postgres")).set(drivername="postgresql+psycopg")


@pytest.fixture
def empty_database(postgres_server: URL) -> Iterator[URL]:
    """A database with nothing in it."""
    url = create_database(postgres_server)
    yield url
    drop_database(postgres_server, url)


@pytest.fixture(scope="session")
def _template(postgres_server: URL) -> Iterator[URL]:
    url = create_database(postgres_server)
    upgrade(url)
    yield url
    drop_database(postgres_server, url)


@pytest.fixture
def database(postgres_server: URL, _template: URL) -> Iterator[URL]:
    """A standalone database, migrated, without rows; cloned, so that it costs little."""
    assert _template.database is not None
    url = create_database(postgres_server, template=_template.database)
    yield url
    drop_database(postgres_server, url)
