"""A sweep in real processes, and what goes away under it: nothing is lost, nothing is done twice."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.acceptance.test_up import Up, eventually, running_up
from tests.support.hosts import insert_slack_workflows, insert_workspace
from tests.support.llm_server import LLMServer

pytestmark = pytest.mark.slow

WORKFLOWS = 40
BATCH = 4
AT_ONCE = 2
STOPPED_WITHIN_S = 15
"""The worker's own pace in hearing of it, and a second or two."""
CRASHED_WITHIN_S = 200
"""30 s between heartbeats, 90 s of patience, and the server's own pace."""


@pytest.fixture
def up(tmp_path: Path, llm_server: LLMServer) -> Iterator[Up]:
    """Everything on a home of its own, forty workflows, a slow model, small batches."""
    llm_server.delay_s = 0.4
    settings = {
        "OPENAI_BASE_URL": llm_server.base_url,
        "RUNBOOKS_MODEL": "test-model",
        "RUNBOOKS_BATCH_SIZE": str(BATCH),
        "RUNBOOKS_LLM_CONCURRENCY": str(AT_ONCE),
    }
    with running_up(tmp_path, **settings) as running:
        insert_workflows(running)
        yield running


def insert_workflows(up: Up) -> None:
    """Put the workflows into a workspace."""
    with up.database() as url:
        insert_workspace(url, slug="shop")
        insert_slack_workflows(url, WORKFLOWS)


def stored(up: Up) -> dict[str, str]:
    query = "SELECT workflow_id::text, xmin::text FROM execution_runbooks WHERE type = 'proactive'"
    return {str(workflow): str(version) for workflow, version in up.rows(query)}


def begun(up: Up) -> str:
    """Start a sweep and wait until some of it is stored."""
    run = up.start_run("coverage-sweep")
    assert eventually(lambda: len(stored(up)) >= 2 * BATCH, within_s=120), up.run(run)["state"]
    return run


def ended(up: Up, run: str, *, within_s: float = 180) -> str:
    """The state in which a run ends."""
    final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
    eventually(lambda: up.run(run)["state_type"] in final, within_s=within_s)
    return str(up.run(run)["state_type"])


def asked(server: LLMServer) -> Counter[str]:
    """How often the model was asked about each workflow."""
    told = [request.user for request in server.writing]
    return Counter({f"Workflow {n}": sum(f'"Workflow {n}"' in user for user in told) for n in range(WORKFLOWS)})


def flow_processes(up: Up) -> list[psutil.Process]:
    """The processes of the worker's runs."""
    return [child for worker in workers(up) for child in worker.children(recursive=True)]


def workers(up: Up) -> list[psutil.Process]:
    return [one for one in up.processes() if {"worker", "start"} <= set(one.cmdline())]


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def nothing_lost_nothing_twice(up: Up, before: dict[str, str], server: LLMServer, *, again: int = AT_ONCE) -> None:
    """Every workflow has its runbook, what was stored is untouched, and at most so many calls were made again."""
    after = stored(up)
    assert len(after) == WORKFLOWS
    assert {workflow: after[workflow] for workflow in before} == before
    counts = asked(server)
    assert min(counts.values()) == 1
    assert sum(counts.values()) <= WORKFLOWS + again, "only calls that were on their way may be made again"


def test_a_cancelled_sweep_stops_asking_within_seconds_and_keeps_whole_batches(up: Up, llm_server: LLMServer) -> None:
    llm_server.delay_s = 3
    run = begun(up)
    state = {"state": {"type": "CANCELLING", "name": "Cancelling"}}
    up.call(f"/flow_runs/{run}/set_state", state)
    cancelled_at = time.monotonic()
    assert ended(up, run, within_s=60) == "CANCELLED"
    time.sleep(1)
    calls = len(llm_server.requests)
    kept = stored(up)
    assert len(kept) % BATCH == 0
    assert len(kept) < WORKFLOWS
    time.sleep(8)
    assert len(llm_server.requests) == calls
    assert llm_server.requests[-1].at - cancelled_at < STOPPED_WITHIN_S
    assert stored(up) == kept
    llm_server.delay_s = 0.1
    assert ended(up, up.start_run("coverage-sweep")) == "COMPLETED"
    nothing_lost_nothing_twice(up, kept, llm_server)


def test_when_worker_and_run_are_killed_the_run_is_marked_and_the_next_goes_on(up: Up, llm_server: LLMServer) -> None:
    run = begun(up)
    for process in [*flow_processes(up), *workers(up)]:
        kill(process)
    before = stored(up)
    assert 2 * BATCH <= len(before) < WORKFLOWS
    assert ended(up, run, within_s=CRASHED_WITHIN_S) == "CRASHED", (
        "no heartbeats, and the automation that ships with us"
    )
    assert ended(up, up.start_run("coverage-sweep")) == "COMPLETED"
    nothing_lost_nothing_twice(up, before, llm_server)


def test_a_run_that_is_killed_alone_is_marked_at_once_and_the_next_goes_on(up: Up, llm_server: LLMServer) -> None:
    run = begun(up)
    for process in flow_processes(up):
        kill(process)
    before = stored(up)
    assert ended(up, run, within_s=60) == "CRASHED"
    assert ended(up, up.start_run("coverage-sweep")) == "COMPLETED"
    nothing_lost_nothing_twice(up, before, llm_server)


def test_postgresql_killed_under_a_sweep_is_waited_for(up: Up, llm_server: LLMServer) -> None:
    run = begun(up)
    before = stored(up)
    kill(psutil.Process(int((up.home / "postgres" / "data" / "postmaster.pid").read_text().split("\n")[0])))
    assert ended(up, run) == "COMPLETED", up.run(run)["state"]
    nothing_lost_nothing_twice(up, before, llm_server, again=0)


def test_the_prefect_server_killed_under_a_sweep_is_waited_for(up: Up, llm_server: LLMServer) -> None:
    run = begun(up)
    before = stored(up)
    (server,) = (one for one in up.processes() if {"server", "start"} <= set(one.cmdline()))
    kill(server)
    assert ended(up, run) == "COMPLETED", up.run(run)["state"]
    nothing_lost_nothing_twice(up, before, llm_server)
