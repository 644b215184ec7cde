"""`runbooks up`: everything on one machine, and nothing of it afterwards."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL, make_url, text

from runbooks.adapters.embedded_postgres import EmbeddedPostgres
from tests.support.commands import runbooks, start_runbooks
from tests.support.hosts import connected
from tests.support.prefect import free_port

STOP_S = 60


@dataclass
class Up:
    """`runbooks up` on a home of its own."""

    process: "subprocess.Popen[str]"
    home: Path
    prefect_port: int
    api_port: int
    env: dict[str, str]

    @property
    def prefect(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}/api"

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.prefect}{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def deployment(self, name: str) -> dict[str, Any]:
        return next(one for one in self.call("/deployments/filter", {}) if one["name"] == name)

    def start_run(self, name: str, **parameters: Any) -> str:
        path = f"/deployments/{self.deployment(name)['id']}/create_flow_run"
        return str(self.call(path, {"parameters": parameters})["id"])

    def run(self, run_id: str) -> dict[str, Any]:
        """A run as the server shows it; a server that is just away is waited for."""
        found: dict[str, Any] = eventually(lambda: self._run_now(run_id))
        return found

    def _run_now(self, run_id: str) -> Any:
        try:
            return self.call(f"/flow_runs/{run_id}")
        except OSError:
            return None

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask the database of the home."""
        with self.database() as url, connected(url) as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    @contextmanager
    def database(self) -> Iterator[URL]:
        """The address of the home's database; afterwards nothing of ours keeps its server running."""
        server = EmbeddedPostgres(self.home)
        try:
            yield make_url(server.url("runbooks")).set(drivername="postgresql+psycopg")
        finally:
            server.leave()

    def processes(self) -> list[psutil.Process]:
        """Everything that names the home or was started by us, the database's processes among it."""
        return [one for one in psutil.process_iter() if self._is_ours(one)]

    def _is_ours(self, one: psutil.Process) -> bool:
        try:
            return str(self.home) in " ".join(one.cmdline()) or one.environ().get("RUNBOOKS_HOME") == str(self.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


def iter_until(lines: Iterable[str], ending: str) -> Iterator[str]:
    for line in lines:
        yield line
        if ending in line:
            return


@contextmanager
def running_up(home: Path, **more: str) -> Iterator[Up]:
    """Start everything on this home; stopped at the end."""
    ports = free_port(), free_port()
    env = {"RUNBOOKS_HOME": str(home), "PREFECT_HOME": str(home / "prefect"), **more}
    with start_runbooks("up", "--prefect-port", str(ports[0]), "--api-port", str(ports[1]), env=env) as process:
        try:
            assert process.stderr
            told = list(iter_until(process.stderr, "Ctrl-C stops"))
            assert process.poll() is None, "".join(told)
            yield Up(process, home, *ports, env)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=STOP_S)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


@pytest.fixture
def up(home: Path) -> Iterator[Up]:
    with running_up(home, RUNBOOKS_TIMEZONE="Europe/Berlin") as running:
        yield running


def eventually(found: Any, *, within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return value


@pytest.mark.slow
def test_it_brings_all_parts_and_ctrl_c_leaves_nothing_behind(up: Up, home: Path) -> None:
    deployments = {one["name"]: one for one in up.call("/deployments/filter", {})}
    assert set(deployments) == {"coverage-sweep", "coverage-sweep-shard", "workflow-published", "execution-failed"}
    (nightly,) = deployments["coverage-sweep"]["schedules"]
    assert nightly["schedule"] == {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "day_or": True}
    with urllib.request.urlopen(f"http://127.0.0.1:{up.api_port}/healthz", timeout=5) as answer:
        assert answer.status == 200

    second = runbooks("up", env=up.env)
    assert second.returncode == 0
    assert f":{up.prefect_port}" in second.stdout
    assert "runs already" in second.stderr

    demo = runbooks("demo", env=up.env)
    assert demo.returncode == 0, demo.stderr
    assert "Starting Prefect's own server" not in demo.stderr

    run = up.start_run("coverage-sweep", full=True)
    assert eventually(lambda: up.run(run)["state_type"] == "COMPLETED"), up.run(run)["state"]
    assert up.run(run)["name"].endswith("· 13 changed")

    assert len(up.processes()) > 5
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(timeout=STOP_S) == 0
    assert eventually(lambda: not up.processes(), within_s=15), up.processes()
    for port in (up.prefect_port, up.api_port):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port), timeout=1)


@pytest.mark.slow
def test_a_second_start_finds_what_is_there_and_an_event_starts_a_run(up: Up) -> None:
    runs = up.call("/flow_runs/filter", {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}})
    assert len(runs) >= 2, "the runs of the first start are kept"
    assert len(up.call("/deployments/filter", {})) == 4
    names = [one["name"] for one in up.call("/automations/filter", {})]
    assert sorted(names) == sorted(set(names)), "nothing was made twice"

    shown = runbooks("coverage", "--json", env=up.env)
    assert json.loads(shown.stdout)["active_workflows"] == 13
    artifacts = up.call("/artifacts/filter", {})
    assert "runbook-sweep" in {one["key"] for one in artifacts}


@pytest.mark.slow
def test_killed_without_a_chance_to_tidy_up_the_parts_end_as_well(up: Up) -> None:
    assert len(up.processes()) > 5
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait(timeout=10)
    assert eventually(lambda: not up.processes(), within_s=40), [one.cmdline() for one in up.processes()]
