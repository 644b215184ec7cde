"""A sweep that is spread over several flow runs, on a real Prefect server with a real worker."""

import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter
from prefect.client.schemas.objects import FlowRun
from sqlalchemy import URL, text

from tests.benchmarks.many_workflows import scale
from tests.support.commands import runbooks
from tests.support.hosts import connected
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer
from tests.support.workers import children_of, deploy, ended, running_worker, start_run, wait_until

pytestmark = pytest.mark.slow

WORKFLOWS = 60
POOL = f"shards-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def company(database: URL, prefect_server: PrefectServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Workflows for twelve batches, and the deployments."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "5")
    with connected(database) as connection:
        scale(connection, workflows=WORKFLOWS)
    deploy(POOL)
    return database


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """Where the worker writes."""
    return tmp_path / "worker.log"


@pytest.fixture
def worker(company: URL, log: Path) -> Iterator[psutil.Process]:
    """A worker that starts as many runs as there are."""
    with running_worker(POOL, log) as process:
        yield process


@pytest.fixture
def model(llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> LLMServer:
    """A slow model, so that there is time to interfere; used by the worker that is started after."""
    llm_server.delay_s = 0.5
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_LLM_CONCURRENCY", "2")
    return llm_server


def stored(url: URL) -> dict[str, int]:
    """Runbooks by workflow."""
    query = "SELECT workflow_id::text, count(*) FROM execution_runbooks WHERE type = 'proactive' GROUP BY 1"
    with connected(url) as connection:
        return {row[0]: row[1] for row in connection.execute(text(query))}


def page(run: FlowRun, key: str) -> str:
    """An artifact of a run."""
    wanted = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run.id]}, "key": {"any_": [key]}})
    with get_client(sync_client=True) as client:
        (found,) = client.read_artifacts(artifact_filter=wanted)
    return str(found.data if found.type == "markdown" else found.description)


def test_shards_write_every_runbook_once_and_one_report_is_made_of_all(
    company: URL, worker: psutil.Process, log: Path
) -> None:
    run = ended(start_run("coverage-sweep", shards=3, max_tokens=1000), log=log)
    assert run.state is not None
    assert run.state.name == "Completed", log.read_text()[-3000:]
    assert (run.state.message or "").startswith(f"{WORKFLOWS} active, {WORKFLOWS} changed, {WORKFLOWS} generated;")
    assert Counter(stored(company).values()) == {1: WORKFLOWS}
    children = children_of(run)
    assert [child.name.split(" · ")[0] for child in children] == ["shard 1/3", "shard 2/3", "shard 3/3"]
    assert sum(child.parameters["limit"] for child in children) == WORKFLOWS
    assert 990 < sum(child.parameters["max_tokens"] for child in children) <= 1000
    assert page(run, "runbook-sweep-progress").startswith(f"3 of 3 shards; {WORKFLOWS} of {WORKFLOWS} workflows")
    assert page(run, "runbook-sweep").count("| catalogue |") == WORKFLOWS
    with connected(company) as connection:
        taken = "SELECT count(*) FROM runbook_coverage_snapshots"
        assert connection.execute(text(taken)).scalar_one() == 1

    again = ended(start_run("coverage-sweep", shards=3), log=log)
    assert again.state is not None
    assert "0 changed" in (again.state.message or "")
    assert children_of(again) == [], "nothing changed, so nothing is spread"


def test_a_limit_takes_the_busiest_of_all_shards(company: URL, worker: psutil.Process) -> None:
    query = "SELECT id::text FROM workflows WHERE is_active ORDER BY execution_count DESC NULLS LAST, id LIMIT 20"
    with connected(company) as connection:
        busiest = set(connection.execute(text(query)).scalars())
    done = runbooks("sweep", "--shards", "2", "--limit", "20", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["generated"], report["later"], report["failed_shards"]) == (20, WORKFLOWS - 20, [])
    assert set(stored(company)) == busiest


def test_a_shard_that_is_killed_is_named_and_the_others_are_reported(company: URL, model: LLMServer, log: Path) -> None:
    with running_worker(POOL, log) as worker:
        run = start_run("coverage-sweep", shards=2)
        wait_until(lambda: len(stored(company)) >= 10, log=log)
        process_of(worker, children_of(run)[0]).kill()
        told = ended(run, log=log)
    assert told.state is not None
    assert told.state.name == "CompletedWithFailures"
    assert "1 of its shards lost" in (told.state.message or "")
    report = page(run, "runbook-sweep")
    assert "shard 1/2 ended as Crashed" in report
    missing = int((told.state.message or "").split(" failed")[0].split()[-1])
    assert missing > 0
    assert len(stored(company)) == WORKFLOWS - missing

    again = runbooks("sweep", "--json", env={"RUNBOOKS_LLM_CONCURRENCY": "16"})
    assert json.loads(again.stdout)["generated"] == missing
    assert Counter(stored(company).values()) == {1: WORKFLOWS}
    asked = Counter(request.user for request in model.writing)
    assert asked.total() - len(asked) <= 2, "only what was under way in the killed process is asked again"


def test_cancelling_the_sweep_cancels_its_shards(company: URL, model: LLMServer, log: Path) -> None:
    with running_worker(POOL, log):
        run = start_run("coverage-sweep", shards=2)
        wait_until(lambda: len(stored(company)) >= 5, log=log)
        with get_client(sync_client=True) as client:
            client.request("POST", f"/flow_runs/{run.id}/set_state", json={"state": {"type": "CANCELLING"}})
        told = [ended(one, within_s=60, log=log) for one in (run, *children_of(run))]
        assert [one.state.name for one in told if one.state] == ["Cancelled"] * 3
        asked = len(model.requests)
        written = len(stored(company))
        assert written < WORKFLOWS
    assert len(model.requests) == asked, "nobody asks the model any more"


def test_shards_of_a_sweep_that_crashed_stop_so_that_the_next_one_does_not_write_beside_them(
    company: URL, model: LLMServer, log: Path
) -> None:
    with running_worker(POOL, log) as worker:
        run = start_run("coverage-sweep", shards=2)
        wait_until(lambda: len(stored(company)) >= 5, log=log)
        process_of(worker, run).kill()
        ends = [ended(one, within_s=60, log=log).state for one in (run, *children_of(run))]
        assert [one.name for one in ends if one] == ["Crashed", "Failed", "Failed"]
        assert "ended as Crashed" in str(ends[1])
        written = len(stored(company))
        assert written < WORKFLOWS
        again = ended(start_run("coverage-sweep"), log=log)
    assert again.state is not None
    assert f"{WORKFLOWS - written} generated" in (again.state.message or "")
    assert Counter(stored(company).values()) == {1: WORKFLOWS}


def process_of(worker: psutil.Process, run: FlowRun) -> psutil.Process:
    """The process that a flow run is."""
    marked = {"PREFECT__FLOW_RUN_ID": str(run.id)}
    return next(one for one in worker.children(recursive=True) if marked.items() <= one.environ().items())
