"""A sweep that is killed half way, and run again."""

import json
import os
import signal
import time
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import URL, text

from tests.support.commands import runbooks, start_runbooks
from tests.support.hosts import connected, insert_slack_workflows, insert_workspace
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer

WORKFLOWS = 24
AT_ONCE = 2


@pytest.fixture
def busy(database: URL, prefect_server: PrefectServer, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    """Workflows to write, a slow model to write them, small batches."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "4")
    monkeypatch.setenv("RUNBOOKS_LLM_CONCURRENCY", str(AT_ONCE))
    llm_server.delay_s = 0.2
    insert_workspace(database, slug="shop")
    insert_slack_workflows(database, WORKFLOWS)
    return database


def stored(url: URL) -> dict[str, Any]:
    query = "SELECT workflow_id::text, xmin::text FROM execution_runbooks WHERE type = 'proactive'"
    with connected(url) as connection:
        return dict(tuple(row) for row in connection.execute(text(query)))


def asked_about(server: LLMServer) -> Counter[str]:
    """How often the model was asked about each workflow."""
    names = (f"Workflow {number}" for number in range(WORKFLOWS))
    told = [request.user for request in server.writing]
    return Counter({name: sum(f'"{name}"' in user for user in told) for name in names})


def wait_for_rows(url: URL, count: int) -> None:
    deadline = time.monotonic() + 90
    while len(stored(url)) < count:
        assert time.monotonic() < deadline, "the sweep stored nothing in time"
        time.sleep(0.05)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_nothing_finished_is_done_twice(busy: URL, llm_server: LLMServer, blow: signal.Signals) -> None:
    first = start_runbooks("sweep", "--json")
    wait_for_rows(busy, 8)
    os.killpg(first.pid, blow)
    _, told = first.communicate(timeout=60)
    before = stored(busy)
    assert 8 <= len(before) < WORKFLOWS
    if blow == signal.SIGINT:
        assert first.returncode == 130
        assert "Traceback" not in told
        assert "what was stored so far is kept" in told

    done = runbooks("sweep", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    after = stored(busy)
    assert len(after) == WORKFLOWS
    assert report["generated"] == WORKFLOWS - len(before)
    assert {workflow: after[workflow] for workflow in before} == before
    asked = asked_about(llm_server)
    assert min(asked.values()) == 1
    # Only a call whose answer was on its way when the blow fell may have been made again.
    assert sum(asked.values()) <= WORKFLOWS + AT_ONCE

    again = json.loads(runbooks("sweep", "--json").stdout)
    assert (again["changed"], again["llm"]["calls"]) == (0, 0)
    assert stored(busy) == after
