"""Clusters of two worker processes on this machine, for those who installed the extras."""

import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.support.commands import installed
from tests.support.prefect import free_port

START_S = 90
WORKERS = 2


def missing(kind: str) -> str | None:
    """Why a cluster of this kind cannot be started here; None when it can."""
    return None if find_spec(f"prefect_{kind}") else f"pip install 'workflow-runbooks[{kind}]' to run it"


@contextmanager
def running_cluster(kind: str, folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    """Run a Dask or Ray cluster whose processes have this environment; yields the address of its scheduler."""
    start = {"dask": _dask, "ray": _ray}[kind]
    with start(folder, {**os.environ, **env}) as address:
        yield address


@contextmanager
def _dask(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    address, log = f"tcp://127.0.0.1:{free_port()}", folder / "dask.log"
    scheduler = ("scheduler", "--host", address, "--no-dashboard", "--no-jupyter")
    workers = ("worker", address, "--nworkers", str(WORKERS), "--nthreads", "1", "--no-dashboard")
    with log.open("wb") as output:
        processes = [
            subprocess.Popen([installed("dask"), *command], cwd=folder, env=env, stdout=output, stderr=output)
            for command in (scheduler, workers)
        ]
        try:
            _wait_for(log, "Starting worker compute stream", count=WORKERS)
            yield address
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait(timeout=60)


@contextmanager
def _ray(folder: Path, env: Mapping[str, str]) -> Iterator[str]:
    port = free_port()
    command = ("start", "--head", f"--port={port}", f"--num-cpus={WORKERS}", "--node-ip-address=127.0.0.1")
    quiet = ("--include-dashboard=false", "--disable-usage-stats", "--ray-client-server-port", str(free_port()))
    with (folder / "ray.log").open("wb") as output:
        subprocess.run([installed("ray"), *command, *quiet], env=env, stdout=output, stderr=output, check=True)
        try:
            yield f"127.0.0.1:{port}"
        finally:
            stop = [installed("ray"), "stop", "--force"]
            subprocess.run(stop, env=env, stdout=output, stderr=output, check=False)


def _wait_for(log: Path, line: str, *, count: int) -> None:
    deadline = time.monotonic() + START_S
    while log.read_text(errors="replace").count(line) < count:
        if time.monotonic() > deadline:
            raise RuntimeError(f"the cluster did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.2)
