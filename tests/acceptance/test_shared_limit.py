"""Sweeps at the same time, and one limit for their calls to the model."""

import json
import os
import signal
import time

import pytest
from prefect.client.orchestration import get_client
from sqlalchemy import URL

from app.deploy import ensure_shared_limit
from runbooks.settings import Settings
from tasks.slot_server import SlotServer
from tests.support.commands import runbooks, start_runbooks
from tests.support.hosts import insert_slack_workflows, insert_workspace
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer

LIMIT, EACH = 8, 40


@pytest.fixture
def workspaces(
    database: URL, prefect_server: PrefectServer, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Two workspaces full of work, a slow model, and a limit on the server."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("RUNBOOKS_BATCH_SIZE", "10")
    monkeypatch.setenv("RUNBOOKS_LLM_SHARED_CONCURRENCY", str(LIMIT))
    llm_server.delay_s = 0.5
    with get_client(sync_client=True) as client:
        ensure_shared_limit(client, Settings(llm_shared_concurrency=LIMIT))
    found = []
    for slug in ("shop", "stock"):
        found.append(insert_workspace(database, slug=slug))
        insert_slack_workflows(database, EACH, workspace=slug, name=f"Workflow {slug}")
    return found


@pytest.mark.slow
def test_two_sweeps_together_keep_to_the_limit_and_both_end_well(workspaces: list[str], llm_server: LLMServer) -> None:
    sweeps = [start_runbooks("sweep", "--workspace", workspace, "--json") for workspace in workspaces]
    most_taken = 0
    while any(sweep.poll() is None for sweep in sweeps):
        most_taken = max(most_taken, SlotServer().usage().taken)
        time.sleep(0.2)
    for sweep in sweeps:
        report, told = sweep.communicate(timeout=60)
        assert sweep.returncode == 0, told
        assert json.loads(report)["generated"] == EACH
        assert json.loads(report)["fallbacks"] == {}
    assert 7 <= llm_server.most_at_once <= LIMIT
    assert most_taken == LIMIT
    assert SlotServer().usage().taken == 0


@pytest.mark.slow
def test_a_sweep_that_is_stopped_gives_its_slots_back_at_once(workspaces: list[str], llm_server: LLMServer) -> None:
    sweep = start_runbooks("sweep", "--json")
    deadline = time.monotonic() + 90
    while not llm_server.writing and time.monotonic() < deadline:
        time.sleep(0.1)
    assert SlotServer().usage().taken == LIMIT - 1
    os.killpg(sweep.pid, signal.SIGINT)
    sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert SlotServer().usage().taken == 0
    assert "ok   0 of 8 slots of Prefect's limit runbooks-llm are taken" in runbooks("doctor").stdout
