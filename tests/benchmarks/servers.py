"""What a sweep needs to run apart from its own process: databases with workflows, and a Prefect server."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url

from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_watcher import stop
from runbooks.adapters.schema import upgrade
from tests.benchmarks.many_workflows import scale
from tests.support.postgres import create_database, drop_database
from tests.support.prefect import running_server


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL and a Prefect server on it."""

    postgres: EmbeddedPostgres
    home: Path
    api: str

    def fill(self, name: str, workflows: int) -> None:
        """Make a standalone database with so many active workflows."""
        database = Database(self.postgres.url(name))
        upgrade(database.url)
        with database.begin() as connection:
            scale(connection, workflows=workflows)
        database.close()

    def env(self, name: str) -> dict[str, str]:
        """The environment for commands that use one of the databases."""
        return {
            "RUNBOOKS_DATABASE_URL": self.postgres.url(name),
            "PREFECT_API_URL": self.api,
            "PREFECT_HOME": str(self.home),
            "PATH": os.environ["PATH"],
        }

    @contextmanager
    def copy(self, name: str) -> Iterator[dict[str, str]]:
        """A copy of a database that nobody uses; yields the environment for commands that use it."""
        server = make_url(self.postgres.url("postgres")).set(drivername="postgresql+psycopg")
        copy = create_database(server, template=name)
        yield self.env(str(copy.database))
        drop_database(server, copy)


@contextmanager
def servers() -> Iterator[Servers]:
    """Both, for as long as the context lasts, with nothing in them."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "prefect"
        home.mkdir()
        postgres = EmbeddedPostgres(Path(folder) / "home")
        with running_server(make_url(postgres.url("prefect")), home) as api:
            yield Servers(postgres, home, api)
        postgres.leave()
        stop(Path(folder) / "home" / "postgres")


@contextmanager
def platform(workflows: int) -> Iterator[dict[str, str]]:
    """One database with so many active workflows; yields the environment for commands that use it."""
    with servers() as both:
        both.fill("runbooks", workflows)
        yield both.env("runbooks")
