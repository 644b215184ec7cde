"""A real Prefect server on the test PostgreSQL, once a session; starting one costs some ten seconds."""

import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import URL

from runbooks.adapters.prefect_database import for_asyncpg
from tests.support.commands import installed
from tests.support.postgres import create_database, drop_database

START_TIMEOUT_S = 120


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Prefect's own folder, so that nobody's profile is read or written."""
    return tmp_path_factory.mktemp("prefect")


@dataclass(frozen=True)
class PrefectServer:
    """Where a running server is, and where it keeps its data."""

    api: str
    database: URL


@contextmanager
def running_server(database: URL, home: Path) -> Iterator[str]:
    """Run a Prefect server on this database; yields its API's address."""
    port = free_port()
    log = home / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [installed("prefect"), "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env={
                **os.environ,
                "PREFECT_HOME": str(home),
                "PREFECT_API_DATABASE_CONNECTION_URL": for_asyncpg(database),
                "DO_NOT_TRACK": "1",
                "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = f"http://127.0.0.1:{port}/api"
        _wait_until_healthy(url, server, log)
        yield url
    finally:
        server.terminate()
        server.wait(timeout=30)


@pytest.fixture(scope="session")
def prefect_process(postgres_server: URL, prefect_home: Path) -> Iterator[PrefectServer]:
    """A running Prefect server."""
    database = create_database(postgres_server)
    with running_server(database, prefect_home) as api:
        yield PrefectServer(api, database)
    drop_database(postgres_server, database)


def _wait_until_healthy(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise RuntimeError(f"the Prefect server did not start:\n{log.read_text()[-2000:]}")


@pytest.fixture
def prefect_server(
    prefect_process: PrefectServer, prefect_home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PrefectServer]:
    """Flows of this process, and of commands that it starts, run on the server."""
    from prefect.logging.handlers import APILogHandler
    from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings

    monkeypatch.setenv("PREFECT_API_URL", prefect_process.api)
    monkeypatch.setenv("PREFECT_HOME", str(prefect_home))
    with temporary_settings({PREFECT_API_URL: prefect_process.api, PREFECT_HOME: prefect_home}):
        yield prefect_process
        APILogHandler().flush()  # sent by a thread, which complains on the terminal when the server is gone
