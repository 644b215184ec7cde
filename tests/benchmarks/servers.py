"""What a sweep needs to run apart from its own process: a database with workflows, and a Prefect server."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url

from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_watcher import stop
from runbooks.adapters.schema import upgrade
from tests.benchmarks.many_workflows import scale
from tests.support.prefect import running_server


@contextmanager
def platform(workflows: int) -> Iterator[dict[str, str]]:
    """A standalone database with so many active workflows; yields the environment for commands that use it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "prefect"
        home.mkdir()
        server = EmbeddedPostgres(Path(folder) / "home")
        database = Database(server.url("runbooks"))
        upgrade(database.url)
        with database.begin() as connection:
            scale(connection, workflows=workflows)
        database.close()
        with running_server(make_url(server.url("prefect")), home) as api:
            yield {
                "RUNBOOKS_DATABASE_URL": server.url("runbooks"),
                "PREFECT_API_URL": api,
                "PREFECT_HOME": str(home),
                "PATH": os.environ["PATH"],
            }
        server.leave()
        stop(Path(folder) / "home" / "postgres")
