"""What a second processor brings: one process against two shards, two processes of Dask and two of Ray.

The work is the processor's (catalogue writer), and PostgreSQL and Prefect's server share the machine: two cores are not
twice as fast. Each way sweeps a copy of the same database, from nothing and then all of it anew: only the second time
have the processes of a cluster loaded what they need, while shards are new processes each time.
"""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.benchmarks.measure import measure
from tests.benchmarks.servers import Servers, servers
from tests.benchmarks.table import Figure
from tests.support.clusters import WORKERS, missing, running_cluster
from tests.support.workers import deploy, running_worker

WORKFLOWS = 2000
ORIGINAL = "original"
POOL = "benchmark"
More = Mapping[str, str]
Place = Callable[[Path, More], AbstractContextManager[More]]
"""Starts what runs the batches, in a folder and an environment; yields the variables that lead a sweep there."""


@dataclass(frozen=True)
class Way:
    """A way to spread a sweep."""

    name: str
    place: Place
    options: tuple[str, ...] = ()


@dataclass(frozen=True)
class Swept:
    """Seconds of a sweep from nothing, and of one that writes all anew."""

    first: float
    again: float


def figures() -> Iterator[Figure]:
    """Sweep in each way that is installed."""
    with servers() as both:
        both.fill(ORIGINAL, WORKFLOWS)
        here = swept(both, Way("one process", lambda _folder, _env: nullcontext({})))
        yield Figure(f"sweep of {WORKFLOWS:,} in one process, 3 batches at once", _told(here), "1.00 × the time")
        for way in ways():
            there = swept(both, way)
            ratio = f"{there.again / here.again:.2f} × the time"
            yield Figure(f"sweep of {WORKFLOWS:,} {way.name}", _told(there), ratio)


def ways() -> Iterator[Way]:
    """Shards, and what is installed."""
    yield Way(f"in {WORKERS} shards", in_shards, ("--shards", str(WORKERS)))
    for kind in ("dask", "ray"):
        reason = missing(kind)
        if reason is None:
            yield Way(f"on {WORKERS} processes of {kind.title()}", partial(on_cluster, kind))
        else:
            print(f"{kind}: {reason}", flush=True)


def swept(both: Servers, way: Way) -> Swept:
    """Sweep twice, on a fresh copy of the database."""
    with both.copy(ORIGINAL) as env, tempfile.TemporaryDirectory() as folder, way.place(Path(folder), env) as more:
        first, again = (_sweep({**env, **more}, *way.options, *full) for full in ((), ("--full",)))
        return Swept(first, again)


def _sweep(env: More, *options: str) -> float:
    report = json.loads(measure("sweep", "--writer", "catalogue", "--json", *options, env=env).stdout)
    if report["generated"] != WORKFLOWS:
        raise RuntimeError(f"only {report['generated']} of {WORKFLOWS} runbooks were written")
    return float(report["duration_s"])


@contextmanager
def in_shards(folder: Path, env: More) -> Iterator[More]:
    """A worker that starts as many processes as there are shards."""
    deploy(POOL, **env)
    with running_worker(POOL, folder / "worker.log", **env):
        yield {}


@contextmanager
def on_cluster(kind: str, folder: Path, env: More) -> Iterator[More]:
    """A cluster."""
    with running_cluster(kind, folder, {**os.environ, **env}) as address:
        yield {"RUNBOOKS_TASK_RUNNER": kind, "RUNBOOKS_CLUSTER_ADDRESS": address}


def _told(swept: Swept) -> str:
    return f"{swept.again:.1f} s ({WORKFLOWS / swept.again:.0f} workflows a second); from nothing {swept.first:.1f} s"
