"""A PostgreSQL of our own: set up on first use, shared by all processes of a home, stopped after the last one.

Everything is in `home/postgres`, for its owner only. Processes agree by file locks (see `embedded_watcher`), never by
process ids, which a dead server leaves behind and another process inherits.
"""

import fcntl
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from psycopg.errors import DuplicateDatabase, UniqueViolation
from psycopg.sql import SQL, Identifier
from sqlalchemy import URL

from runbooks.adapters import embedded_watcher
from runbooks.adapters.embedded_server import ANOTHER_HOME, START_TIMEOUT_S, USER, Binaries, account_for, free_port
from runbooks.adapters.embedded_watcher import acquired, opened, server_pid
from runbooks.errors import EmbeddedPostgresError

POLL_S = 0.02


class EmbeddedPostgres:
    """The PostgreSQL of one home; safe to use from many threads and processes at once."""

    def __init__(self, home: Path, *, pg_bin: Path | None = None) -> None:
        self._folder = home.absolute() / "postgres"
        self._data = self._folder / "data"
        self._pg_bin = pg_bin
        self._client: int | None = None
        self._one_thread = threading.Lock()

    def start(self) -> None:
        """Have the server running, and keep it so as long as this process lives."""
        with self._one_thread, self._one_line():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with opened(self._folder / "lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._join()
                self._start_watcher()
                self._start_server(lock)

    def url(self, database: str) -> str:
        """Address of a database, password included; starts the server and creates the database when needed."""
        self.start()
        with self._one_line(), self._connect() as connection:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if connection.execute(query, [database]).fetchone() is None:
                with suppress(DuplicateDatabase, UniqueViolation):  # another process may be faster
                    connection.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))
        return self._address(database)

    def leave(self) -> None:
        """Stop being a client, as the end of the process does."""
        with self._one_thread:
            if self._client is not None:
                os.close(self._client)
                self._client = None

    def _join(self) -> None:
        """Become a client; waits while the watcher stops the server."""
        if self._client is None:
            client = os.open(self._folder / "clients", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(client, fcntl.LOCK_SH)
            self._client = client

    def _start_watcher(self) -> None:
        with opened(self._folder / "watcher") as watcher:
            if not acquired(watcher):
                return
        command = [sys.executable, "-I", "-S", embedded_watcher.__file__, str(self._folder)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=30)  # noqa: S603

    def _start_server(self, lock: int) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        with opened(self._folder / "server") as server:
            while not acquired(server):  # it runs; or its processes are about to end
                if self._answers():
                    return
                if time.monotonic() > deadline:
                    raise EmbeddedPostgresError(
                        f"the embedded PostgreSQL is running but does not answer; see {self._folder / 'server.log'}"
                    )
                time.sleep(POLL_S)
            self._launch(lock, server)

    def _launch(self, lock: int, server: int) -> None:
        binaries = Binaries.find(self._pg_bin)
        if not self._data.exists():
            self._write_password()
            binaries.init(self._folder, account_for(self._folder), lock=lock)
        self._check_version(binaries.major)
        port = self._port()
        self._remove_stale_pid()
        binaries.start(self._folder, account_for(self._folder), port=free_port(port), lock=server)

    def _write_password(self) -> None:
        path = self._folder / "password"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(24))

    def _check_version(self, major: int) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(major):
            raise EmbeddedPostgresError(
                f"the data in {self._data} is PostgreSQL {found}'s and the programs are PostgreSQL {major}'s: "
                f"set PG_BIN to the bin folder of PostgreSQL {found}, or {ANOTHER_HOME}"
            )

    def _remove_stale_pid(self) -> None:
        """Remove what a killed server left, which stops PostgreSQL when its id is a zombie's or another process's."""
        if server_pid(self._data) is not None:
            raise EmbeddedPostgresError(f"another PostgreSQL server runs on {self._data}: stop it, or {ANOTHER_HOME}")
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _port(self) -> int | None:
        """The port of the running server; of the last one, if it was killed."""
        try:
            return int((self._data / "postmaster.pid").read_text().split("\n")[3])
        except (OSError, IndexError, ValueError):
            return None

    def _address(self, database: str) -> str:
        password = (self._folder / "password").read_text()
        url = URL.create("postgresql", USER, password, "127.0.0.1", self._port(), database)
        return url.render_as_string(hide_password=False)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._address("postgres"), autocommit=True, connect_timeout=10)

    def _answers(self) -> bool:
        if self._port() is None:
            return False
        try:
            self._connect().close()
        except psycopg.OperationalError:
            return False
        return True

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            name = error.filename or self._folder
            raise EmbeddedPostgresError(f"{name}: {error.strerror}; {ANOTHER_HOME}") from error
        except subprocess.SubprocessError as error:
            raise EmbeddedPostgresError(f"the embedded PostgreSQL does not start in time; {ANOTHER_HOME}") from error
        except psycopg.Error as error:
            line = str(error).strip().splitlines()[0]
            raise EmbeddedPostgresError(f"the embedded PostgreSQL refuses: {line}; {ANOTHER_HOME}") from error
