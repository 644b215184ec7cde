"""Sweeps of the demo and of 200 n8n workflows with a model that is good, hostile or down, as a user runs them."""

import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, text

from runbooks.core.redaction import contains_secret
from runbooks.core.runbook import RunbookSection
from runbooks.demo.load import load_demo
from tests.support import llm_server as models
from tests.support.commands import runbooks
from tests.support.hosts import connected
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer

EXAMPLES = [json.loads(file.read_text()) for file in sorted(Path("docs/examples").glob("n8n-*.json"))]
N8N_WORKFLOWS = 200
TRACES = ("1.0.0.0", "98765", "sk_live_51FAKE", "-of-another", "previous instructions", "Delete the table")
"""What the bad answers of the test server have in common with nothing else."""


@pytest.fixture
def swept(database: URL, prefect_server: PrefectServer, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> URL:
    """The demo and the n8n workflows, and a model."""
    settings = {
        "RUNBOOKS_DATABASE_URL": database.render_as_string(hide_password=False),
        "OPENAI_BASE_URL": llm_server.base_url,
        "RUNBOOKS_MODEL": "test-model",
        "RUNBOOKS_LLM_CONCURRENCY": "16",
        "RUNBOOKS_LLM_TIMEOUT_S": "3",
        "RUNBOOKS_LLM_PRICE_INPUT": "1.25",
        "RUNBOOKS_LLM_PRICE_OUTPUT": "10",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    insert = """
        INSERT INTO workflows (workspace_id, name, is_active, trigger_type, nodes, edges)
        SELECT id, :name, true, 'webhook', CAST(:nodes AS json), CAST(:edges AS json) FROM workspaces LIMIT 1
    """
    rows = [
        {
            "name": f"{document['name']} {number}",
            "nodes": json.dumps(document["nodes"]),
            "edges": json.dumps(document["connections"]),
        }
        for number in range(N8N_WORKFLOWS)
        for document in [EXAMPLES[number % len(EXAMPLES)]]
    ]
    with connected(database) as connection:
        load_demo(connection, now=datetime.now(UTC))
        connection.execute(text(insert), rows)
    return database


def with_integrations(url: URL) -> int:
    with connected(url) as connection:
        query = "SELECT count(*) FROM runbook_generations WHERE integrations > 0"
        return int(connection.execute(text(query)).scalar_one())


def sweep() -> dict[str, Any]:
    done = runbooks("sweep", "--json")
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def assert_all_can_be_trusted(url: URL, report: dict[str, Any]) -> int:
    """Every active workflow has a complete runbook without a trace of a bad answer; returns how many a model wrote."""
    query = """
        SELECT r.sections, r.ai_generated, g.scenarios_by_llm, g.required_covered, g.integrations, g.fallback_reason
        FROM workflows w LEFT JOIN execution_runbooks r ON r.workflow_id = w.id AND r.type = 'proactive'
            LEFT JOIN runbook_generations g ON g.runbook_id = r.id
        WHERE w.is_active AND w.deleted_at IS NULL
    """
    with connected(url) as connection:
        rows = connection.execute(text(query)).all()
    assert len(rows) == report["workflows_active"] == report["generated"]
    for row in rows:
        sections = [RunbookSection.model_validate(section) for section in row.sections]
        assert len(sections) == row.integrations
        assert row.required_covered == 4 * row.integrations
        by_model = [one for section in sections for one in section.failure_scenarios if one.source == "llm"]
        assert len(by_model) == row.scenarios_by_llm
        assert row.ai_generated == bool(by_model)
        stored = "\n".join(line for one in by_model for line in (*one.symptoms, *one.diagnosis, *one.remediation))
        assert not any(trace in stored for trace in TRACES)
        assert not contains_secret(stored)
        assert (row.fallback_reason is None) == (row.ai_generated or not sections)
    counted = Counter(row.fallback_reason for row in rows if row.fallback_reason)
    assert report["fallbacks"] == dict(counted)
    return sum(row.ai_generated for row in rows)


def test_with_a_good_model_every_runbook_is_the_models_and_costs_one_call(swept: URL, llm_server: LLMServer) -> None:
    report = sweep()
    assert assert_all_can_be_trusted(swept, report) == with_integrations(swept)
    assert report["fallbacks"] == {}
    # On a machine with much else to do a connection may fail before the server sees it.
    assert len(llm_server.requests) <= report["llm"]["calls"] <= 1.3 * report["workflows_active"]
    assert report["llm"]["cost_usd"] > 0


def test_with_a_hostile_model_every_runbook_is_still_right(swept: URL, llm_server: LLMServer) -> None:
    faults = (*models.TRANSPORT_FAULTS, *models.BAD_ANSWERS, models.stall)
    llm_server.misbehave(0.3, faults, seed=11)
    report = sweep()
    by_model = assert_all_can_be_trusted(swept, report)
    assert by_model + sum(report["fallbacks"].values()) <= report["generated"]
    assert by_model > 0.7 * report["generated"]
    assert len([name for name in llm_server.behaved if name != "good"]) >= 15
    assert len(llm_server.requests) <= report["llm"]["calls"] <= len(llm_server.requests) * 1.05


@pytest.mark.slow
def test_no_call_is_wasted_on_a_model_that_is_down(swept: URL, llm_server: LLMServer) -> None:
    llm_server.default = models.error(503, "down")
    report = sweep()
    assert assert_all_can_be_trusted(swept, report) == 0
    assert sum(report["fallbacks"].values()) >= N8N_WORKFLOWS
    assert len(llm_server.requests) <= 10 + 16
    llm_server.default = models.good
    again = sweep()
    assert again["generated"] >= N8N_WORKFLOWS
    assert again["fallbacks"] == {}


@pytest.mark.slow
def test_a_budget_is_kept_and_the_catalogue_writes_the_rest(swept: URL) -> None:
    done = runbooks("sweep", "--json", "--max-cost", "0.20")
    assert done.returncode == 0, done.stderr[-2000:]
    report = json.loads(done.stdout)
    by_model = assert_all_can_be_trusted(swept, report)
    assert 0 < by_model < report["generated"] / 2
    assert 0.1 < report["llm"]["cost_usd"] <= 0.20
    (reason,) = report["fallbacks"]
    assert reason == "the budget of this run allows $0.2; the next request may cost more"
