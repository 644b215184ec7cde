"""`runbooks up`: everything on one machine, and nothing of it afterwards."""

import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.support.commands import runbooks, start_runbooks
from tests.support.prefect import free_port

STOP_S = 60


@dataclass
class Up:
    """`runbooks up` on a home of its own."""

    process: "subprocess.Popen[str]"
    home: Path
    prefect_port: int
    api_port: int

    @property
    def prefect(self) -> str:
        return f"http://127.0.0.1:{self.prefect_port}/api"

    def call(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.prefect}{path}", data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def processes(self) -> list[psutil.Process]:
        """Everything that names the home or was started by us, the database's processes among it."""
        return [one for one in psutil.process_iter() if self._is_ours(one)]

    def _is_ours(self, one: psutil.Process) -> bool:
        try:
            return str(self.home) in " ".join(one.cmdline()) or one.environ().get("RUNBOOKS_HOME") == str(self.home)
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("up")


def iter_until(lines: Iterable[str], ending: str) -> Iterator[str]:
    for line in lines:
        yield line
        if ending in line:
            return


@pytest.fixture
def up(home: Path) -> Iterator[Up]:
    ports = free_port(), free_port()
    env = {"RUNBOOKS_HOME": str(home), "PREFECT_HOME": str(home / "prefect"), "RUNBOOKS_TIMEZONE": "Europe/Berlin"}
    with start_runbooks("up", "--prefect-port", str(ports[0]), "--api-port", str(ports[1]), env=env) as process:
        try:
            assert process.stderr
            told = list(iter_until(process.stderr, "Ctrl-C stops"))
            assert process.poll() is None, "".join(told)
            yield Up(process, home, *ports)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=STOP_S)


def eventually(found: Any, *, within_s: float = 60) -> Any:
    deadline = time.monotonic() + within_s
    while not (value := found()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return value


def state_of(up: Up, run_id: str) -> str:
    return str(up.call(f"/flow_runs/{run_id}")["state_type"])


@pytest.mark.slow
def test_it_brings_all_parts_and_ctrl_c_leaves_nothing_behind(up: Up, home: Path) -> None:
    deployments = {one["name"]: one for one in up.call("/deployments/filter", {})}
    assert set(deployments) == {"coverage-sweep", "workflow-published", "execution-failed"}
    (nightly,) = deployments["coverage-sweep"]["schedules"]
    assert nightly["schedule"] == {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "day_or": True}
    with urllib.request.urlopen(f"http://127.0.0.1:{up.api_port}/healthz", timeout=5) as answer:
        assert answer.status == 200

    env = {"RUNBOOKS_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
    second = runbooks("up", env=env)
    assert second.returncode == 0
    assert f":{up.prefect_port}" in second.stdout
    assert "runs already" in second.stderr

    demo = runbooks("demo", env=env)
    assert demo.returncode == 0, demo.stderr
    assert "Starting Prefect's own server" not in demo.stderr

    run = up.call(f"/deployments/{deployments['coverage-sweep']['id']}/create_flow_run", {"parameters": {"full": True}})
    assert eventually(lambda: state_of(up, run["id"]) == "COMPLETED"), up.call(f"/flow_runs/{run['id']}")["state"]
    name = up.call(f"/flow_runs/{run['id']}")["name"]
    assert name.endswith("· 13 changed")

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
    assert len(up.call("/deployments/filter", {})) == 3
    names = [one["name"] for one in up.call("/automations/filter", {})]
    assert sorted(names) == sorted(set(names)), "nothing was made twice"

    shown = runbooks("coverage", "--json", env={"RUNBOOKS_HOME": str(up.home)})
    assert json.loads(shown.stdout)["active_workflows"] == 13
    artifacts = up.call("/artifacts/filter", {})
    assert "runbook-sweep" in {one["key"] for one in artifacts}


@pytest.mark.slow
def test_killed_without_a_chance_to_tidy_up_the_parts_end_as_well(up: Up) -> None:
    assert len(up.processes()) > 5
    os.kill(up.process.pid, signal.SIGKILL)
    up.process.wait(timeout=10)
    assert eventually(lambda: not up.processes(), within_s=40), [one.cmdline() for one in up.processes()]
