"""A sweep whose batches run on a Dask or Ray cluster of two processes, against the same sweep in one process."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from sqlalchemy import URL, text

from tests.benchmarks.many_workflows import scale
from tests.support.clusters import missing, running_cluster
from tests.support.commands import runbooks, start_runbooks
from tests.support.hosts import connected
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer

pytestmark = pytest.mark.slow

WORKFLOWS = 60
KINDS = [
    pytest.param(kind, marks=pytest.mark.skipif(missing(kind) is not None, reason=str(missing(kind))))
    for kind in ("dask", "ray")
]


@pytest.fixture
def company(database: URL, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Workflows for six batches."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "10")
    with connected(database) as connection:
        scale(connection, workflows=WORKFLOWS)
    return database


@pytest.fixture
def cluster(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster of the kind that the test names, in the settings."""
    kind = str(request.param)
    monkeypatch.setenv("RUNBOOKS_TASK_RUNNER", kind)
    with running_cluster(kind, tmp_path, {}) as address:
        monkeypatch.setenv("RUNBOOKS_CLUSTER_ADDRESS", address)
        yield address


def stored(url: URL) -> dict[str, Any]:
    """Every runbook but for when it was written."""
    query = """
        SELECT workflow_id::text, title, severity, summary, status, tags::text, steps::text, sections::text
        FROM execution_runbooks WHERE type = 'proactive'
    """
    with connected(url) as connection:
        return {row[0]: tuple(row[1:]) for row in connection.execute(text(query))}


def sweep(*options: str, **env: str) -> dict[str, Any]:
    done = runbooks("sweep", "--json", *options, env=env)
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.mark.parametrize("cluster", KINDS, indirect=True)
def test_a_cluster_writes_the_same_runbooks_as_one_process(company: URL, cluster: str) -> None:
    here = sweep(RUNBOOKS_TASK_RUNNER="local")
    expected = stored(company)
    assert len(expected) == WORKFLOWS
    with connected(company) as connection:
        connection.execute(text("DELETE FROM execution_runbooks"))
    there = sweep()
    assert stored(company) == expected
    for field in ("workflows_active", "changed", "generated", "unchanged", "failed", "fallbacks"):
        assert there[field] == here[field], field
    assert sweep()["changed"] == 0


@pytest.mark.skipif(missing("dask") is not None, reason=str(missing("dask")))
def test_a_process_of_the_cluster_that_is_killed_costs_no_runbook_and_no_answer_twice(
    company: URL, llm_server: LLMServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = 2
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_TASK_RUNNER", "dask")
    monkeypatch.setenv("RUNBOOKS_LLM_CONCURRENCY", str(at_once))
    llm_server.delay_s = 0.2
    with running_cluster("dask", tmp_path, {}) as address:
        sweeping = start_runbooks("sweep", "--json", env={"RUNBOOKS_CLUSTER_ADDRESS": address})
        wait_until(lambda: len(llm_server.writing) >= WORKFLOWS // 3)
        workers(address)[0].kill()
        output, told = sweeping.communicate(timeout=150)
    assert sweeping.returncode == 0, told
    report = json.loads(output)
    assert (report["generated"], report["failed"]) == (WORKFLOWS, [])
    assert len(stored(company)) == WORKFLOWS
    asked = Counter(request.user for request in llm_server.writing)
    # Under way: in flight, or just answered and about to be kept, when the next requests are in flight already.
    assert asked.total() - len(asked) <= 2 * at_once, "only what was under way in the killed process is asked again"


def wait_until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 90
    while not reached():
        assert time.monotonic() < deadline, "it was not reached in time"
        time.sleep(0.05)


def workers(address: str) -> list[psutil.Process]:
    """The cluster's worker processes, without the nannies that start them again."""
    nannies = [one for one in psutil.process_iter(["cmdline"]) if {"worker", address} <= set(one.info["cmdline"] or ())]
    return [child for nanny in nannies for child in nanny.children() if "spawn_main" in " ".join(child.cmdline())]
