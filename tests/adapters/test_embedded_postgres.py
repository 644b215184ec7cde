import os
import pwd
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest

from runbooks.adapters.database import Database
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.adapters.embedded_server import LOG_LIMIT, Programs
from runbooks.adapters.embedded_watcher import LINGER_S, acquired, opened, server_pid
from runbooks.errors import DatabaseUnreachable, EmbeddedPostgresError, RunbooksError

CLIENT = """
import sys
from pathlib import Path
from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from runbooks.errors import RunbooksError
try:
    print(EmbeddedPostgres(Path(sys.argv[1])).url("runbooks"), flush=True)
except RunbooksError as error:
    sys.exit(f"error: {error}")
sys.stdin.read()
"""
REPOSITORY = Path(__file__).parents[2]
DEBIAN = sorted(Path("/usr/lib/postgresql").glob("1[4-7]/bin/postgres"))
CAP_DAC_OVERRIDE = 1
is_root = os.geteuid() == 0
only_root = pytest.mark.skipif(not is_root, reason="is about root")
only_ordinary = pytest.mark.skipif(is_root, reason="is about ordinary users: root may write anywhere")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home of 'Ada' $1"


@pytest.fixture
def embedded(home: Path) -> Iterator[EmbeddedPostgres]:
    embedded = EmbeddedPostgres(home)
    yield embedded
    embedded.leave()


@contextmanager
def client(home: Path, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the server until its standard input ends."""
    command = [sys.executable, "-c", CLIENT, str(home)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, cwd=REPOSITORY, **{**pipes, **options}) as process:  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.kill()


def address_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    assert line, process.communicate()
    return line


def is_running(home: Path) -> bool:
    with opened(home / "postgres" / "server") as server:
        return not acquired(server)


def wait_for(condition: Callable[[], bool], *, within_s: float = 20) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def wait_until_stopped(home: Path) -> None:
    wait_for(lambda: not is_running(home))


def pid_of(home: Path) -> int:
    pid = server_pid((home / "postgres" / "data").resolve())
    assert pid is not None
    return pid


def watcher_pid(home: Path) -> int:
    commands = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            commands[int(process.name)] = (process / "cmdline").read_bytes()
    named = (b"embedded_watcher.py", bytes(home))
    (pid,) = (pid for pid, command in commands.items() if all(name in command for name in named))
    return pid


def ask(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]


def logged(home: Path, message: str) -> int:
    return (home / "postgres" / "server.log").read_text().count(message)


def starts(home: Path) -> int:
    return logged(home, "ready to accept connections")


# Starting


def test_starts_in_a_moment_and_later_even_faster(home: Path) -> None:
    seconds = []
    for _ in range(2):
        embedded = EmbeddedPostgres(home)
        begin = time.monotonic()
        embedded.start()
        seconds.append(time.monotonic() - begin)
        embedded.leave()
        wait_until_stopped(home)
    assert seconds[0] < 10
    assert seconds[1] < 3


def test_address_names_a_database_that_is_created_when_missing(embedded: EmbeddedPostgres) -> None:
    for name in ("runbooks", 'Ada\'s "own" #1'):
        address = embedded.url(name)
        assert embedded.url(name) == address
        assert ask(address, "SELECT current_database()") == name


def test_serves_as_many_connections_in_utf8_as_a_prefect_server_and_a_sweep_need(embedded: EmbeddedPostgres) -> None:
    address = embedded.url("runbooks")
    assert ask(address, "SHOW max_connections") == "200"
    assert ask(address, "SHOW server_encoding") == "UTF8"
    assert ask(address, "SELECT upper('prüfe')") == "PRÜFE"
    assert ask(address, "SHOW timezone") == "UTC"


def test_prefect_finds_the_extension_it_needs(embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.url("prefect")) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert connection.execute("SELECT similarity('runbook', 'runbooks') > 0.5").fetchone() == (True,)


def test_many_processes_at_once_set_up_and_start_one_server(home: Path) -> None:
    command = [sys.executable, "-c", CLIENT, str(home)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    processes = [subprocess.Popen(command, text=True, cwd=REPOSITORY, **pipes) for _ in range(8)]  # type: ignore[call-overload]
    try:
        addresses = {address_of(process) for process in processes}
    finally:
        answers = [process.communicate(timeout=60) for process in processes]
    assert len(addresses) == 1, answers
    assert starts(home) == 1
    assert {process.returncode for process in processes} == {0}


def test_many_threads_at_once_start_one_server(home: Path, embedded: EmbeddedPostgres) -> None:
    names = [f"database_{i % 4}" for i in range(16)]
    with ThreadPoolExecutor(16) as pool:
        addresses = list(pool.map(embedded.url, names))
    assert {ask(address, "SELECT current_database()") for address in addresses} == set(names)
    assert starts(home) == 1


def test_set_up_that_was_killed_is_begun_again(home: Path, embedded: EmbeddedPostgres) -> None:
    with client(home) as process:
        wait_for((home / "postgres" / "data.new" / "base").exists)
        process.kill()
    assert ask(embedded.url("runbooks"), "SELECT 1") == 1
    assert not (home / "postgres" / "data.new").exists()


@pytest.mark.skipif(not DEBIAN, reason="there is no PostgreSQL of the distribution")
def test_pg_bin_points_at_other_programs(home: Path) -> None:
    embedded = EmbeddedPostgres(home, pg_bin=DEBIAN[-1].parent)
    try:
        version = str(ask(embedded.url("runbooks"), "SHOW server_version"))
        assert version.startswith(DEBIAN[-1].parent.parent.name)
    finally:
        embedded.leave()


# Variables of the user's that are meant for another server


@pytest.mark.parametrize(
    "variables",
    [
        {"PGSSLMODE": "require"},
        {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": "system"},
        {
            "PGHOST": "db.invalid",
            "PGPORT": "1",
            "PGUSER": "ada",
            "PGPASSWORD": "n0t-a-secret",
            "PGDATABASE": "linkflow",
        },
        {"PGHOSTADDR": "127.0.0.2"},
        {"PGSERVICE": "linkflow", "PGSERVICEFILE": "services"},
        {"PGOPTIONS": "-c search_path=nothing -c default_transaction_read_only=on"},
        {"PGTARGETSESSIONATTRS": "standby"},
        {"PGCHANNELBINDING": "require"},
        {"PGGSSENCMODE": "require"},
        {"PGCLIENTENCODING": "LATIN1"},
    ],
    ids=lambda variables: next(iter(variables)),
)
def test_variables_that_are_meant_for_another_server_change_nothing(
    variables: dict[str, str], running: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = "host=db.invalid hostaddr=127.0.0.2 port=1 sslmode=require options=--nothing=1"
    (tmp_path / "services").write_text("\n".join(["[linkflow]", *service.split()]) + "\n")
    monkeypatch.chdir(tmp_path)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ask(running.url("runbooks"), "SELECT current_database() || '→'") == "runbooks→"
    database = Database(running.url("runbooks"))
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE written (id int)")
        connection.exec_driver_sql("DROP TABLE public.written")
    database.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One for all of these, started without such variables."""
    embedded = EmbeddedPostgres(tmp_path_factory.mktemp("running"))
    embedded.start()
    yield embedded
    embedded.leave()


# Privacy


def test_only_the_owner_can_read_the_password_and_the_data(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    folder = home / "postgres"
    assert stat.S_IMODE((folder / "password").stat().st_mode) == 0o600
    assert {stat.S_IMODE((folder / name).stat().st_mode) for name in ("", "data")} == {0o700}
    assert {path.stat().st_mode & 0o077 for path in folder.iterdir()} == {0}


def test_nobody_gets_in_without_the_password(embedded: EmbeddedPostgres) -> None:
    address = embedded.url("runbooks")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(re.sub(r":\w+@", ":wrong@", address))
    assert ask(address, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'") == 0
    assert ask(address, "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'runbooks'") is True


def test_listens_on_the_loopback_address_only(embedded: EmbeddedPostgres) -> None:
    address = embedded.url("runbooks")
    assert ask(address, "SHOW listen_addresses") == "127.0.0.1"
    assert ask(address, "SHOW unix_socket_directories") == ""
    assert "@127.0.0.1:" in address


def test_two_homes_have_their_own_ports_and_passwords(tmp_path: Path, embedded: EmbeddedPostgres) -> None:
    other = EmbeddedPostgres(tmp_path / "other")
    try:
        one, two = (re.match(r".*:(\w+)@127.0.0.1:(\d+)/", address) for address in map(_url, (embedded, other)))
        assert one is not None
        assert two is not None
        assert one[1] != two[1]
        assert one[2] != two[2]
        assert int(one[2]) > 1023
    finally:
        other.leave()


def _url(embedded: EmbeddedPostgres) -> str:
    return embedded.url("runbooks")


@only_linux
def test_neither_server_nor_watcher_keeps_the_secrets_of_the_environment(
    home: Path, embedded: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-secret")
    assert "sk-not-a-secret" not in _environment_of_server(embedded)
    assert b"sk-not-a-secret" not in Path(f"/proc/{watcher_pid(home)}/environ").read_bytes()
    for pid in (pid_of(home), watcher_pid(home)):
        assert (home / "postgres" / "password").read_bytes() not in Path(f"/proc/{pid}/cmdline").read_bytes()


def _environment_of_server(embedded: EmbeddedPostgres) -> str:
    """What its programs inherit; root may not look into another user's process everywhere."""
    with psycopg.connect(embedded.url("runbooks")) as connection:
        connection.execute("CREATE TEMP TABLE environment (line text)")
        connection.execute("COPY environment FROM PROGRAM 'env'")
        lines = [row[0] for row in connection.execute("SELECT line FROM environment")]
    assert f"PATH={os.environ['PATH']}" in lines
    return "\n".join(lines)


def test_log_does_not_tell_what_statements_hold(home: Path, embedded: EmbeddedPostgres) -> None:
    with psycopg.connect(embedded.url("runbooks"), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (secret text UNIQUE); INSERT INTO t VALUES ('hunter2')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO t VALUES ('hunter2')")
        with pytest.raises(psycopg.errors.UndefinedColumn):
            connection.execute("SELECT hunter2")
    assert "hunter2" not in (home / "postgres" / "server.log").read_text()


def test_log_is_begun_anew_when_it_has_grown(home: Path, embedded: EmbeddedPostgres) -> None:
    folder = home / "postgres"
    folder.mkdir(parents=True)
    for _ in range(2):
        (folder / "server.log").write_text("x" * (LOG_LIMIT + 1))
        embedded.start()
        embedded.leave()
        wait_until_stopped(home)
        assert (folder / "server.log").stat().st_size < LOG_LIMIT
    assert sorted(path.name for path in folder.glob("server.log*")) == ["server.log", "server.log.1"]


# As whom it runs


def test_folders_above_are_left_as_they_are(tmp_path: Path, home: Path, embedded: EmbeddedPostgres) -> None:
    home.mkdir(mode=0o700)
    parents = [home, tmp_path, *tmp_path.parents]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in parents]
    embedded.start()
    assert [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in parents] == before
    assert len({path.stat().st_uid for path in (home / "postgres").rglob("*")}) == 1


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user could enter."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def root_only() -> Iterator[Path]:
    """A folder that nobody but root may enter."""
    folder = Path(tempfile.mkdtemp())
    yield folder
    shutil.rmtree(folder)


def _programs_in(place: Path) -> Path:
    """A copy, because PostgreSQL follows links to where it really is."""
    package = Programs.find(None).folder.parents[1]
    for folder in package.parent.glob(f"{package.name}*"):
        shutil.copytree(folder, place / folder.name)
    return place / package.name / "pginstall" / "bin"


@pytest.fixture
def root_only_programs(root_only: Path) -> Path:
    """Programs that nobody but root may enter the folder of."""
    return _programs_in(root_only)


def _forbid(folder: Path, monkeypatch: pytest.MonkeyPatch, *programs: str) -> None:
    folder.mkdir()
    for name in programs:
        (folder / name).write_text(f"#!/bin/sh\necho '{name} failed: Operation not permitted' >&2\nexit 1\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")


@pytest.fixture
def no_namespaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """User namespaces are forbidden, as they are in many containers."""
    _forbid(tmp_path / "no namespaces", monkeypatch, "unshare")


@pytest.fixture
def no_capabilities(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may not hand on what root may do, as in containers whose capabilities were dropped."""
    _forbid(tmp_path / "no capabilities", monkeypatch, "setpriv")


def runs_as_a_service(home: Path) -> bool:
    owner = Path(f"/proc/{pid_of(home)}").stat().st_uid
    return pwd.getpwuid(owner).pw_name in {"postgres", "nobody"} and (home / "postgres/data").stat().st_uid == owner


def capabilities(home: Path) -> int:
    (line,) = re.findall(r"CapEff:\s+(\w+)", Path(f"/proc/{pid_of(home)}/status").read_text())
    return int(line, 16)


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces")
def test_root_without_namespaces_runs_it_as_another_user(reachable: Path) -> None:
    embedded = EmbeddedPostgres(reachable)
    for _ in range(2):
        assert ask(embedded.url("runbooks"), "SELECT 1") == 1
        assert runs_as_a_service(reachable)
        embedded.leave()
        wait_until_stopped(reachable)
    assert reachable.stat().st_uid == 0


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces")
def test_root_without_namespaces_may_keep_the_home_where_only_root_may_enter(root_only: Path) -> None:
    before = root_only.stat()
    home = root_only / "home"
    embedded = EmbeddedPostgres(home)
    for _ in range(2):
        assert ask(embedded.url("runbooks"), "SELECT 1") == 1
        assert runs_as_a_service(home)
        assert capabilities(home) == 1 << CAP_DAC_OVERRIDE
        embedded.leave()
        wait_until_stopped(home)
    after = root_only.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces")
def test_root_without_namespaces_may_keep_the_programs_where_only_root_may_enter(
    reachable: Path, root_only_programs: Path
) -> None:
    embedded = EmbeddedPostgres(reachable, pg_bin=root_only_programs)
    assert ask(embedded.url("runbooks"), "SELECT 1") == 1
    assert bytes(root_only_programs) in Path(f"/proc/{pid_of(reachable)}/cmdline").read_bytes()
    assert runs_as_a_service(reachable)
    embedded.leave()
    wait_until_stopped(reachable)


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces")
def test_nobody_else_reaches_a_server_that_may_do_more_than_its_user(reachable: Path, root_only_programs: Path) -> None:
    embedded = EmbeddedPostgres(reachable, pg_bin=root_only_programs)
    embedded.start()
    owner = Path(f"/proc/{pid_of(reachable)}").stat().st_uid
    assert (reachable / "postgres" / "password").stat().st_uid == owner
    done = subprocess.run(["cat", reachable / "postgres" / "password"], user=owner, capture_output=True)
    assert done.returncode != 0
    assert b"Permission denied" in done.stderr
    embedded.leave()
    wait_until_stopped(reachable)


@only_root
@only_linux
@pytest.mark.parametrize("kind", ["reachable", "root_only"])
def test_data_made_in_a_namespace_is_used_without_it_and_the_other_way_round(
    kind: str, request: pytest.FixtureRequest
) -> None:
    home = request.getfixturevalue(kind)
    embedded = EmbeddedPostgres(home)
    address = embedded.url("made_in_a_namespace")
    name = "SELECT count(*) FROM pg_database WHERE datname LIKE 'made_%'"
    assert ask(address, name) == 1
    embedded.leave()
    wait_until_stopped(home)
    request.getfixturevalue("no_namespaces")
    assert ask(embedded.url("made_without"), name) == 2
    embedded.leave()
    wait_until_stopped(home)
    with pytest.MonkeyPatch.context() as context:
        context.setenv("PATH", os.environ["PATH"].partition(":")[2])
        assert ask(embedded.url("made_without"), name) == 2
        embedded.leave()
        wait_until_stopped(home)


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces", "no_capabilities")
def test_root_without_any_right_is_told_when_the_other_user_cannot_reach_the_home(root_only: Path) -> None:
    embedded = EmbeddedPostgres(root_only)
    refused(embedded, rf"user \d+ cannot enter {root_only}: become another user, set RUNBOOKS_HOME to a folder like")
    embedded.leave()


@only_root
@only_linux
@pytest.mark.usefixtures("no_namespaces", "no_capabilities")
def test_root_without_any_right_is_told_when_the_other_user_cannot_reach_the_programs(
    reachable: Path, root_only_programs: Path
) -> None:
    embedded = EmbeddedPostgres(reachable, pg_bin=root_only_programs)
    refused(embedded, rf"user \d+ cannot run {root_only_programs}/postgres: become another user, set PG_BIN")
    embedded.leave()


@only_root
@only_linux
def test_user_who_owns_the_home_gets_no_right_that_they_lack(reachable: Path, root_only_programs: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    os.chown(reachable, nobody.pw_uid, nobody.pw_gid)
    embedded = EmbeddedPostgres(reachable, pg_bin=root_only_programs)
    refused(embedded, f"user {nobody.pw_uid} cannot run {root_only_programs}/postgres: become another user, set PG_BIN")
    embedded.leave()


@only_root
@only_linux
def test_root_leaves_a_users_data_to_that_user(reachable: Path) -> None:
    programs = _programs_in(reachable)
    nobody = pwd.getpwnam("nobody")
    os.chown(reachable, nobody.pw_uid, nobody.pw_gid)
    embedded = EmbeddedPostgres(reachable, pg_bin=programs)
    try:
        embedded.start()
        assert Path(f"/proc/{pid_of(reachable)}").stat().st_uid == nobody.pw_uid
        assert capabilities(reachable) == 0
        assert {path.stat().st_uid for path in (reachable / "postgres").rglob("*")} == {nobody.pw_uid}
    finally:
        embedded.leave()
        wait_until_stopped(reachable)


# Stopping


def test_server_stops_soon_after_its_last_client_ended(home: Path) -> None:
    with client(home) as first, client(home) as second:
        address = address_of(first)
        assert address_of(second) == address
        first.communicate("")
        time.sleep(LINGER_S + 1)
        assert ask(address, "SELECT 1") == 1
        second.communicate("")
        wait_until_stopped(home)
    assert "database system is shut down" in (home / "postgres" / "server.log").read_text()


def test_server_stops_soon_after_its_last_client_was_killed(home: Path) -> None:
    with client(home) as process:
        address_of(process)
        process.kill()
        process.wait()
        wait_until_stopped(home)


def test_client_that_is_killed_while_the_server_starts_leaves_nothing_running(home: Path) -> None:
    with client(home) as process:
        wait_for((home / "postgres" / "watcher").exists)
        process.kill()
        process.wait()
    wait_for(lambda: _is_free(home, "watcher"))
    assert not is_running(home)
    assert _is_free(home, "lock")


def _is_free(home: Path, name: str) -> bool:
    with opened(home / "postgres" / name) as file:
        return acquired(file)


def test_command_that_follows_at_once_finds_the_server_running(home: Path) -> None:
    with client(home) as process:
        process.communicate("", timeout=60)
    embedded = EmbeddedPostgres(home)
    for _ in range(3):
        embedded.start()
        embedded.leave()
    assert starts(home) == 1
    wait_until_stopped(home)


def test_client_that_comes_while_the_server_stops_gets_a_new_one(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    for stops in (1, 2, 3):
        embedded.leave()
        wait_for(lambda stops=stops: logged(home, "received fast shutdown request") == stops)
        assert ask(embedded.url("runbooks"), "SELECT 1") == 1
        assert not _is_free(home, "watcher")
    assert starts(home) == 4


def test_output_of_a_client_ends_with_the_client(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(home)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert is_running(home), "whoever read the output waited for the server"
    assert done.stdout.startswith("postgresql://")
    assert done.stdout.count("\n") == 1


def test_ctrl_c_in_the_terminal_does_not_stop_the_server_of_others(home: Path, embedded: EmbeddedPostgres) -> None:
    with client(home, start_new_session=True) as process:
        address = address_of(process)
        embedded.start()
        for sign in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            os.killpg(process.pid, sign)
        process.wait(timeout=20)
    time.sleep(0.5)
    assert ask(address, "SELECT 1") == 1
    embedded.leave()
    wait_until_stopped(home)


@only_linux
def test_killed_watcher_is_replaced_by_the_next_client(home: Path, embedded: EmbeddedPostgres) -> None:
    address = embedded.url("runbooks")
    killed = watcher_pid(home)
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: _is_free(home, "watcher"))
    assert ask(address, "SELECT 1") == 1
    embedded.start()
    assert watcher_pid(home) != killed
    embedded.leave()
    wait_until_stopped(home)
    assert starts(home) == 1


# Crashes


def test_kill_under_load_loses_no_acknowledged_row(home: Path, embedded: EmbeddedPostgres) -> None:
    address = embedded.url("runbooks")
    with psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE acknowledged (id bigserial PRIMARY KEY, payload text)")
    for _ in range(3):
        written = _write_until_killed(address, pid_of(home))
        assert embedded.url("runbooks") == address, "clients come back to where the server was"
        with psycopg.connect(address) as connection:
            kept = {row[0] for row in connection.execute("SELECT id FROM acknowledged")}
        assert written <= kept
        assert len(written) >= 100


def _write_until_killed(address: str, server: int) -> set[int]:
    written: set[int] = set()

    def write() -> None:
        try:
            with psycopg.connect(address, autocommit=True) as connection:
                while True:
                    query = "INSERT INTO acknowledged (payload) VALUES (repeat('x', 2000)) RETURNING id"
                    row = connection.execute(query).fetchone()
                    assert row is not None
                    written.add(row[0])
        except psycopg.OperationalError:
            return

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    before = len(written)
    wait_for(lambda: len(written) >= before + 100, within_s=60)
    os.kill(server, signal.SIGKILL)
    for thread in threads:
        thread.join(timeout=30)
        assert not thread.is_alive()
    return written


def _stopped_with_pid_file(home: Path, pid: int) -> None:
    """The data folder of a server that died without tidying up, and whose process id is another's now."""
    embedded = EmbeddedPostgres(home)
    embedded.start()
    left = (home / "postgres" / "data" / "postmaster.pid").read_text()
    embedded.leave()
    wait_until_stopped(home)
    (home / "postgres" / "data" / "postmaster.pid").write_text("\n".join([str(pid), *left.splitlines()[1:]]) + "\n")


def test_server_that_was_killed_is_there_again_for_whoever_tries_once_more(
    home: Path, embedded: EmbeddedPostgres
) -> None:
    database = Database(embedded.url("runbooks"), embedded=embedded)
    with database.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept AS SELECT 7 AS number")
    server = server_pid(home / "postgres" / "data")
    assert server
    os.kill(server, signal.SIGKILL)
    tries = 0
    while True:
        tries += 1
        with suppress(DatabaseUnreachable), database.begin() as connection:
            assert connection.exec_driver_sql("SELECT number FROM kept").scalar_one() == 7
            break
    assert tries <= 3, "one that finds it gone, and at most one that comes while it recovers"
    database.close()


def test_zombie_is_not_taken_for_a_server(home: Path, embedded: EmbeddedPostgres) -> None:
    with subprocess.Popen(["true"]) as zombie:  # it ends, but is not waited for yet
        _stopped_with_pid_file(home, zombie.pid)
        os.kill(zombie.pid, 0)
        assert ask(embedded.url("runbooks"), "SELECT 1") == 1


def test_another_process_is_not_taken_for_a_server(home: Path, embedded: EmbeddedPostgres) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        _stopped_with_pid_file(home, stranger.pid)
        assert ask(embedded.url("runbooks"), "SELECT 1") == 1
        embedded.leave()
        wait_until_stopped(home)
        assert stranger.poll() is None, "it was killed in the server's stead"
        stranger.kill()


def test_server_that_somebody_started_by_hand_is_left_alone(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    with opened(home / "postgres" / "server") as server:
        assert not acquired(server)
    (home / "postgres" / "server").unlink()  # so that nothing tells that the server is ours
    pid = pid_of(home)
    refused(embedded, "a PostgreSQL that is not ours runs on")
    assert pid_of(home) == pid
    os.kill(pid, signal.SIGINT)


# What can be wrong


def refused(embedded: EmbeddedPostgres, message: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match=message) as caught:
        embedded.start()
    assert isinstance(caught.value, RunbooksError)
    assert "\n" not in str(caught.value)
    assert "RUNBOOKS_DATABASE_URL" in str(caught.value)


def test_data_of_another_version_is_named(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    embedded.leave()
    wait_until_stopped(home)
    (home / "postgres" / "data" / "PG_VERSION").write_text("14\n")
    refused(embedded, "is of PostgreSQL 14, the programs are of 18: set PG_BIN")


def test_programs_that_are_not_there_are_named(home: Path, tmp_path: Path) -> None:
    refused(EmbeddedPostgres(home, pg_bin=tmp_path), f"there is no {tmp_path}/postgres: set PG_BIN")


def test_programs_of_another_platform_are_named(home: Path, tmp_path: Path) -> None:
    (tmp_path / "postgres").write_bytes(b"\x7fELF nonsense")
    (tmp_path / "postgres").chmod(0o755)
    refused(EmbeddedPostgres(home, pg_bin=tmp_path), r"postgres does not run here \(Exec format error\): set PG_BIN")


def test_platform_without_embedded_programs_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    refused(EmbeddedPostgres(home), "no PostgreSQL came with us for .*: set PG_BIN")
    monkeypatch.setattr(sys, "platform", "win32")
    refused(EmbeddedPostgres(home), "needs Linux or macOS")


def test_home_that_is_a_file_is_named(home: Path, embedded: EmbeddedPostgres) -> None:
    home.write_text("")
    refused(embedded, "cannot use .*home of .*: Not a directory; set RUNBOOKS_HOME")


@only_ordinary
def test_home_that_cannot_be_written_is_named(home: Path, embedded: EmbeddedPostgres) -> None:
    home.mkdir(mode=0o500)
    refused(embedded, "cannot use .*home of .*: Permission denied; set RUNBOOKS_HOME")


def test_lost_password_is_named(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    (home / "postgres" / "password").unlink()
    with pytest.raises(EmbeddedPostgresError, match=r"cannot use .*password: No such file"):
        embedded.url("runbooks")


def test_settings_that_the_server_refuses_are_named(home: Path, embedded: EmbeddedPostgres) -> None:
    embedded.start()
    embedded.leave()
    wait_until_stopped(home)
    (home / "postgres" / "data" / "postgresql.conf").write_text("shared_buffers = 'plenty'\n")
    refused(embedded, 'does not start: configuration file ".*" contains errors; see .*server.log')


def test_full_disk_is_named(home: Path) -> None:
    home.mkdir()
    namespace = ["unshare", "--user", "--map-root-user", "--mount"]
    if sys.platform != "linux" or subprocess.run([*namespace, "true"], capture_output=True).returncode:
        pytest.skip("a small disk can only be made in a namespace")
    script = 'mount -t tmpfs -o size=12m none "$0" && exec "$@"'
    done = subprocess.run(
        [*namespace, "sh", "-c", script, str(home), sys.executable, "-c", CLIENT, str(home)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=60,
    )
    assert done.returncode == 1
    assert re.fullmatch(
        r"error: the embedded PostgreSQL .*No space left on device; free some space, or .*\n", done.stderr
    )


def test_programs_found_are_those_that_came_with_us() -> None:
    found = Programs.find(None)
    assert found.major == 18
    assert "embedded_postgres" in found.folder.parts
