"""`runbooks sweep --batch` that is stopped or killed while the server works on its batch, and run again."""

import json
import os
import signal
import time

import pytest
from sqlalchemy import URL

from tests.support.batch_server import BatchServer
from tests.support.commands import runbooks, start_runbooks
from tests.support.hosts import insert_slack_workflows, insert_workspace
from tests.support.prefect import PrefectServer

WORKFLOWS = 12


@pytest.fixture
def shop(
    database: URL, prefect_server: PrefectServer, batch_server: BatchServer, monkeypatch: pytest.MonkeyPatch
) -> URL:
    """Workflows to write, and a server that takes its time with a batch."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("OPENAI_BASE_URL", batch_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_LLM_BATCH_POLL_S", "0.2")
    batch_server.instant = False
    insert_workspace(database, slug="shop")
    insert_slack_workflows(database, WORKFLOWS)
    return database


@pytest.mark.slow
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT])
def test_a_batch_is_paid_for_once_however_its_run_ends(
    shop: URL, batch_server: BatchServer, blow: signal.Signals
) -> None:
    first = start_runbooks("sweep", "--batch", "--json")
    deadline = time.monotonic() + 90
    while not batch_server.batches and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(2)
    os.killpg(first.pid, blow)
    _, told = first.communicate(timeout=60)
    if blow == signal.SIGINT:
        assert first.returncode == 130
        assert "Traceback" not in told
        assert "handed in: 12 requests (batch_1); the answers may take a day" in told
        assert "the batches go on at the server (batch_1); the next `runbooks sweep --batch` collects them" in told

    batch_server.finish("batch_1")
    done = runbooks("sweep", "--batch", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["generated"], report["fallbacks"], report["llm"]["calls"]) == (WORKFLOWS, {}, 0)
    assert report["coverage"]["ai_coverage"] == 1.0
    assert len(batch_server.asked_in_batches) == WORKFLOWS
    assert list(batch_server.batches) == ["batch_1"]
    assert "waiting for them first" in done.stderr
