"""A PostgreSQL of our own: set up on first use, shared by all processes of a home, stopped after the last of them.

Everything is in `home/postgres`, for its owner only. Processes agree by file locks (`embedded_watcher` names them), not
by process ids: those stay behind in files, and belong to zombies and strangers later.
"""

import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote, urlencode

import psycopg
from psycopg.errors import DuplicateDatabase, UniqueViolation
from psycopg.sql import SQL, Identifier

from runbooks.adapters import embedded_watcher
from runbooks.adapters.embedded_server import (
    INSTEAD,
    LOG_LIMIT,
    OTHER_HOME,
    USER,
    Programs,
    account_for,
    failure,
    free_port,
    inherited_environment,
)
from runbooks.adapters.embedded_watcher import POLL_S, acquired, opened, server_pid
from runbooks.errors import DatabaseFull, DatabaseUnreachable, EmbeddedPostgresError

if sys.platform != "win32":  # where this module can be imported, but not used
    import fcntl

READY_TIMEOUT_S = 60
"""Longer than reading back the log after a crash takes, which is bounded by `max_wal_size`."""
LEAST_SPACE = 20_000_000
"""The server ends when it finds no room for one more piece of its log, 16 MB; what it had of it is given back."""
PLAIN = {
    "hostaddr": "127.0.0.1",
    "sslmode": "disable",
    "sslrootcert": "none",
    "gssencmode": "disable",
    "channel_binding": "disable",
    "target_session_attrs": "any",
    "client_encoding": "UTF8",
    "options": "-c search_path=public",
}
"""Of how to connect, what a user's variables (`PGSSLMODE`, …), meant for another server, would set otherwise."""


class EmbeddedPostgres:
    """The PostgreSQL of one home; safe to use from many threads and processes at once."""

    def __init__(self, home: Path, *, pg_bin: Path | None = None) -> None:
        self._folder = (home.expanduser() / "postgres").resolve()
        self._data = self._folder / "data"
        self._log = self._folder / "server.log"
        self._port = self._folder / "port"
        self._pg_bin = pg_bin
        self._client: int | None = None
        self._one_thread = threading.Lock()

    def start(self) -> None:
        """Have the server running from now until this process ends."""
        if sys.platform == "win32":
            raise EmbeddedPostgresError("the embedded PostgreSQL needs Linux or macOS: set RUNBOOKS_DATABASE_URL")
        with self._one_thread, self._one_line():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with opened(self._folder / "lock") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._become_client()
                self._ensure_watcher()
                self._ensure_server(lock)

    def url(self, database: str) -> str:
        """Address of a database, password included; starts the server and creates the database when needed."""
        self.start()
        with self._one_line(), self._connect() as server:
            query = "SELECT 1 FROM pg_database WHERE datname = %s"
            if server.execute(query, [database]).fetchone() is None:
                with suppress(DuplicateDatabase, UniqueViolation):  # another process may be faster
                    server.execute(SQL("CREATE DATABASE {}").format(Identifier(database)))
            return self._address(database)

    def mended(self, error: DatabaseUnreachable) -> DatabaseUnreachable:
        """Start a server that is gone; returns what is wrong, which is seldom what its clients are told."""
        if isinstance(error, DatabaseFull) or self.is_full():
            return DatabaseFull(self.full())
        try:
            self.start()
        except EmbeddedPostgresError as failure:
            return DatabaseUnreachable(str(failure))
        return error

    def is_full(self) -> bool:
        """Whether there is too little space for the server to go on."""
        return shutil.disk_usage(self._folder).free < LEAST_SPACE

    def full(self) -> str:
        """Say that the disk is full, and what to do."""
        left = shutil.disk_usage(self._folder).free / 1e6
        return (
            f"the disk of the embedded database is full: {left:.0f} MB left in {self._folder}; "
            "free some space there and run it again, what is stored is kept"
        )

    def leave(self) -> None:
        """Stop being a client before the process ends; the server stops unless there are others."""
        with self._one_thread:
            if self._client is not None:
                os.close(self._client)
                self._client = None

    def _connect(self) -> psycopg.Connection:
        def connect() -> psycopg.Connection:
            return psycopg.connect(self._address("postgres"), autocommit=True)

        try:
            return connect()
        except (psycopg.OperationalError, KeyError):
            self.start()  # it may have been killed a moment ago
            return connect()

    def _become_client(self) -> None:
        """Take part in the clients' lock; waits while the watcher stops the server."""
        if self._client is None:
            client = os.open(self._folder / "clients", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(client, fcntl.LOCK_SH)
            self._client = client

    def _ensure_watcher(self) -> None:
        """Before the server, so that one whose client is killed at once is stopped as well."""
        with opened(self._folder / "watcher") as watcher:
            if not acquired(watcher):
                return
        subprocess.run(  # noqa: S603 - our own file
            [sys.executable, "-I", "-S", embedded_watcher.__file__, self._folder],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            env=inherited_environment(),
            timeout=READY_TIMEOUT_S,
        )

    def _ensure_server(self, lock: int) -> None:
        with opened(self._folder / "server") as server:
            if self._ready_unless_free(server):
                return
            logged = self._rotate_log()
            self._launch(lock, server)
        with opened(self._folder / "server") as server:  # the old file shares its lock with the server
            if not self._ready_unless_free(server):
                said = self._log.read_bytes()[logged:].decode(errors="replace")
                raise failure("does not start", said, step=f"see {self._log}, {INSTEAD}")

    def _ready_unless_free(self, server: int) -> bool:
        """Wait until the server is ready, or until nothing of it is left and its lock is ours."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not acquired(server):
            if self._status().get("status") == "ready" and server_pid(self._data) is not None:
                return True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(
                    f"the embedded PostgreSQL is still starting or stopping: try again in a minute, see {self._log}"
                )
            time.sleep(POLL_S)
        return False

    def _launch(self, lock: int, server: int) -> None:
        programs = Programs.find(self._pg_bin)
        new = not self._data.exists()
        if new:
            self._write_password()
        self._port.touch(mode=0o600)
        account = account_for(self._folder, programs.folder)
        if new:
            programs.make_cluster(self._folder, account, lock=lock)
        self._check_version(programs.major)
        last = self._last_port()
        port = free_port(last)
        self._forget_dead_server()
        if port != last:  # a file that is begun anew on a full disk is lost
            self._port.write_text(str(port))
        programs.launch(self._folder, account, port=port, lock=server)

    def _last_port(self) -> int | None:
        """That of the last server here: clients of one that was killed, or that ended by itself, come back to it."""
        try:
            port = self._port.read_text()
        except FileNotFoundError:
            return None
        return int(port) if port.isdecimal() else None

    def _write_password(self) -> None:
        path = self._folder / "password"
        path.unlink(missing_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(24))

    def _check_version(self, major: int) -> None:
        found = (self._data / "PG_VERSION").read_text().strip()
        if found != str(major):
            raise EmbeddedPostgresError(
                f"the data in {self._data} is of PostgreSQL {found}, the programs are of {major}: "
                f"set PG_BIN to the bin folder of PostgreSQL {found}, or {OTHER_HOME}"
            )

    def _forget_dead_server(self) -> None:
        """Remove the pid file of a killed server, which PostgreSQL believes if a zombie or a stranger has its id."""
        if server_pid(self._data) is not None:
            raise EmbeddedPostgresError(f"a PostgreSQL that is not ours runs on {self._data}: stop it, {INSTEAD}")
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _rotate_log(self) -> int:
        """Keep the log and the one before it in size; returns where what follows begins."""
        if self._log.exists() and self._log.stat().st_size > LOG_LIMIT:
            self._log.replace(self._log.with_suffix(".log.1"))
        self._log.touch(mode=0o600)
        return self._log.stat().st_size

    def _status(self) -> dict[str, str]:
        """What the server writes into its pid file, as far as it has got."""
        names = ("pid", "data", "started", "port", "sockets", "address", "memory", "status")
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return {}
        return {name: line.strip() for name, line in zip(names, lines, strict=False)}

    def _address(self, database: str) -> str:
        password = (self._folder / "password").read_text()
        port = int(self._status()["port"])
        place = f"{USER}:{password}@127.0.0.1:{port}/{quote(database, safe='')}"
        return f"postgresql://{place}?{urlencode(PLAIN, quote_via=quote)}"

    @contextmanager
    def _one_line(self) -> Iterator[None]:
        """Turn what can go wrong here into one line that says what to do."""
        try:
            yield
        except (OSError, EmbeddedPostgresError, subprocess.SubprocessError, psycopg.Error, KeyError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> EmbeddedPostgresError:
        line = str(error).strip().partition("\n")[0]
        if self._data.exists() and self.is_full():
            return EmbeddedPostgresError(self.full())
        match error:
            case EmbeddedPostgresError():
                return error
            case OSError():
                place = error.filename or self._folder
                return EmbeddedPostgresError(
                    f"the embedded PostgreSQL cannot use {place}: {error.strerror}; {OTHER_HOME}"
                )
            case subprocess.SubprocessError():
                return EmbeddedPostgresError(f"the embedded PostgreSQL does not start: {line}; see {self._log}")
            case _:
                return EmbeddedPostgresError(f"the embedded PostgreSQL refuses: {line}; see {self._log}")
