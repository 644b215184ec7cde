"""Deployments and process workers of a test's own, on the session's Prefect server."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun

from tests.support.commands import installed, runbooks

START_S = 60
FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def deploy(pool: str, **env: str) -> None:
    """Make the deployments, for a work pool of this name."""
    done = runbooks("deploy", env={**env, "RUNBOOKS_WORK_POOL": pool})
    assert done.returncode == 0, done.stderr


@contextmanager
def running_worker(pool: str, log: Path, *options: str, **env: str) -> Iterator[psutil.Process]:
    """Run a worker that looks for work twice a second; it and what it started is gone afterwards."""
    command = [installed("prefect"), "--no-prompt", "worker", "start", "--pool", pool, "--type", "process", *options]
    quick = {"PREFECT_WORKER_QUERY_SECONDS": "0.5", "PREFECT_WORKER_PREFETCH_SECONDS": "1"}
    with log.open("wb") as output:
        worker = psutil.Popen(command, env={**os.environ, **quick, **env}, stdout=output, stderr=output)
    try:
        wait_until(lambda: "started!" in log.read_text(errors="replace"), log=log)
        yield worker
    finally:
        tree = [worker, *worker.children(recursive=True)]
        for process in tree:
            if process.is_running():
                process.terminate()
        _, left = psutil.wait_procs(tree, timeout=20)
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=20)


def wait_until(reached: object, *, within_s: float = START_S, log: Path | None = None) -> None:
    """Wait until a question is answered with yes."""
    assert callable(reached)
    deadline = time.monotonic() + within_s
    while not reached():
        told = log.read_text(errors="replace")[-3000:] if log else ""
        assert time.monotonic() < deadline, f"it did not come to that in {within_s} s\n{told}"
        time.sleep(0.2)


def start_run(deployment: str, **parameters: object) -> FlowRun:
    """Start a run of a deployment."""
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(f"{deployment}/{deployment}")
        return client.create_flow_run_from_deployment(found.id, parameters=parameters)


def read_run(run: FlowRun) -> FlowRun:
    """The run as the server shows it now."""
    with get_client(sync_client=True) as client:
        return client.read_flow_run(run.id)


def ended(run: FlowRun, *, within_s: float = 150, log: Path | None = None) -> FlowRun:
    """Wait for the end of a run."""
    wait_until(lambda: (state := read_run(run).state) is not None and state.is_final(), within_s=within_s, log=log)
    return read_run(run)


def children_of(run: FlowRun) -> list[FlowRun]:
    """The runs that a run started, by name."""
    wanted = FlowRunFilter.model_validate({"parent_flow_run_id": {"any_": [run.id]}})
    with get_client(sync_client=True) as client:
        return sorted(client.read_flow_runs(flow_run_filter=wanted), key=lambda one: one.name)
