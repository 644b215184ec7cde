"""The flows in this process, on a database of their own and the session's Prefect server."""

import os
from collections.abc import Iterator

import pytest
from sqlalchemy import URL

from runbooks.bootstrap import open_database, open_writers
from tests.support.prefect import PrefectServer


def use(url: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the settings name this database, and forget what was opened for another."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", url.render_as_string(hide_password=False))
    open_database.cache_clear()
    open_writers.cache_clear()


@pytest.fixture
def platform(database: URL, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A standalone database, migrated, that flows run on."""
    use(database, monkeypatch)
    yield database
    from runbooks.settings import load_settings

    open_database(load_settings()).close()
    open_database.cache_clear()
    assert "OPENAI_API_KEY" not in os.environ
