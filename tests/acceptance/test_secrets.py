"""Secrets planted in definitions, error messages and addresses, then looked for in everything that leaves."""

import json
import random
from collections.abc import Mapping
from itertools import pairwise

import pytest
from sqlalchemy import URL, text

from tests.support.commands import runbooks
from tests.support.fake_secrets import SHAPED
from tests.support.hosts import connected, insert_execution, insert_workflow, insert_workspace
from tests.support.llm_server import LLMServer
from tests.support.prefect import PrefectServer
from tests.support.snapshot import rows_of

PLATFORM_TABLES = {
    "users", "workspaces", "workflows", "workflow_versions", "nodes", "credentials", "workflow_credentials",
    "executions", "execution_nodes", "connector_call_attempts", "connector_metrics_daily", "workspace_policies",
}  # fmt: skip

PLAIN = "pl4in-" + "notasecret-" + "77"


@pytest.fixture
def secrets() -> Mapping[str, str]:
    """One secret of each kind that is known by its shape."""
    chance = random.Random(11)
    return {name: make(chance) for name, make in SHAPED.items()}


def definition(secrets: Mapping[str, str]) -> list[dict[str, object]]:
    """A node for each place where people leave secrets."""
    header = {"Authorization": f"Bearer {secrets['jwt']}", "X-Api-Key": secrets["google_api"]}
    login = f"user:{PLAIN}@"
    return [
        {"id": "in", "type": "trigger_webhook", "label": f"Hook {secrets['slack_bot']}"},
        {
            "id": "key",
            "type": "integration_stripe",
            "config": {"api_key": secrets["stripe_live"], "operation": "charge"},
        },
        {
            "id": "headers",
            "type": "action_http_request",
            "data": {
                "label": "Call",
                "config": {"url": "https://api.github.com/repos", "method": "GET", "headers": header},
            },
        },
        {
            "id": "login",
            "type": "http_request",
            "config": {"url": f"https://{login}files.example.com/a", "method": "PUT"},
        },
        {
            "id": "query",
            "type": "http_request",
            "config": {"url": f"https://api.example.com/v1/x?api_key={secrets['hubspot']}&page=2"},
        },
        {
            "id": "path",
            "type": "http_request",
            "config": {"url": f"https://api.telegram.org/bot{secrets['telegram']}/sendMessage", "method": "POST"},
        },
        {"id": "db", "type": "database", "config": {"connection_string": f"postgres://{login}db.example.com/app"}},
        {"id": "mail", "type": "email", "config": {"host": "smtp.example.com", "username": "u", "password": PLAIN}},
        {
            "id": "text",
            "type": "ai",
            "label": "Ask",
            "config": {
                "provider": "openai",
                "api_key": secrets["openai"],
                "prompt": f"use {secrets['github_classic']}",
            },
        },
    ]


def test_no_planted_secret_leaves(
    database: URL,
    prefect_server: PrefectServer,
    llm_server: LLMServer,
    secrets: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "DEBUG")
    insert_workspace(database, slug="shop", settings={"escalation_matrix": {"high": f"call with {secrets['npm']}"}})
    workflow_id = insert_workflow(
        database, name=f"Leaky {secrets['sendgrid']}", nodes=definition(secrets), edges=_edges(definition(secrets))
    )
    for name, secret in secrets.items():
        insert_execution(
            database,
            workflow_id,
            node_key="headers",
            error=f"{name}: request to https://x.example.com/?token={secret} failed: key {secret} refused (401)",
        )
    broken = insert_workflow(database, name="Broken", nodes=f'"{secrets["anthropic"]}"')

    done = [
        runbooks("sweep", "--json"),
        runbooks("show", workflow_id),
        runbooks("show", workflow_id, "--format", "json"),
        runbooks("generate", workflow_id),
        runbooks("coverage"),
        runbooks("show", broken),
        runbooks("sweep", "--workspace", secrets["npm"]),
    ]
    assert json.loads(done[0].stdout)["llm"]["calls"] > 0

    ours = {table: rows for table, rows in rows_of(database).items() if table not in PLATFORM_TABLES}
    left = {
        "a stored row": json.dumps(ours),
        "Prefect's database": json.dumps(rows_of(prefect_server.database)),
        "a request to the model": json.dumps([request.body for request in llm_server.requests]),
        # The last command names the secret itself, as its own argument.
        "a command's output": "".join(run.stdout + run.stderr for run in done[:-1]),
    }
    assert "Leaky" in left["a stored row"]
    assert "coverage-sweep" in left["Prefect's database"]
    planted = {**secrets, "plain password": PLAIN}
    found = [(place, name) for place, said in left.items() for name, secret in planted.items() if secret in said]
    assert found == []


def test_preview_prints_no_secret_either(secrets: Mapping[str, str], llm_server: LLMServer) -> None:
    nodes = definition(secrets)
    document = json.dumps({"name": f"Leaky {secrets['linear']}", "nodes": nodes, "edges": _edges(nodes)})
    env = {"OPENAI_BASE_URL": llm_server.base_url, "RUNBOOKS_MODEL": "test-model"}
    printed = [
        runbooks("preview", "-", "--format", kind, stdin=document, env=env).stdout for kind in ("markdown", "json")
    ]
    sent = json.dumps([request.body for request in llm_server.requests])
    assert all("Leaky" in page for page in printed)
    assert llm_server.requests
    planted = {**secrets, "plain password": PLAIN}
    assert [name for name, secret in planted.items() if secret in "".join([*printed, sent])] == []


def test_error_messages_of_the_database_carry_no_rows(database: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    insert_workspace(database, slug="shop")
    workflow_id = insert_workflow(database, name="Refused", nodes=[{"id": "a", "type": "slack", "label": PLAIN}])
    with connected(database) as connection:
        connection.execute(text("ALTER TABLE execution_runbooks ADD CHECK (title NOT LIKE '%Refused%') NOT VALID"))
    done = runbooks("generate", workflow_id)
    assert done.returncode != 0
    assert len(done.stderr.splitlines()) == 1
    assert PLAIN not in done.stderr


def _edges(nodes: list[dict[str, object]]) -> list[dict[str, object]]:
    keys = [node["id"] for node in nodes]
    return [{"id": f"e{key}", "source": key, "target": after} for key, after in pairwise(keys)]
