"""A platform database, migrated, of each kind that there is."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL, Connection

from runbooks.adapters.schema import upgrade
from tests.support.hosts import connected


@pytest.fixture(params=["standalone", "older_host", "newer_host"])
def platform(request: pytest.FixtureRequest) -> URL:
    """The address of a migrated database: ours, or a host's of either generation."""
    if request.param == "standalone":
        return request.getfixturevalue("database")
    url: URL = request.getfixturevalue(request.param)
    upgrade(url)
    return url


@pytest.fixture
def connection(platform: URL) -> Iterator[Connection]:
    """One transaction on it."""
    with connected(platform) as connection:
        yield connection


@pytest.fixture
def standalone(database: URL) -> Iterator[Connection]:
    """One transaction on a standalone database, for what does not depend on the host."""
    with connected(database) as connection:
        yield connection
