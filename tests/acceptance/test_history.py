"""The versions of a runbook as a user sees them."""

import json

import pytest
from sqlalchemy import URL, text

from tests.support import llm_server as models
from tests.support.commands import runbooks
from tests.support.hosts import connected, insert_workflow, insert_workspace
from tests.support.llm_server import LLMServer

NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {"id": "pay", "type": "action_http_request", "data": {"config": {"url": "https://api.stripe.com/v1/charges"}}},
]
EDGES = [{"source": "in", "target": "pay"}]


def test_history_and_diff_say_what_changed_and_why(database: URL) -> None:
    env = {"RUNBOOKS_DATABASE_URL": database.render_as_string(hide_password=False)}
    insert_workspace(database, slug="shop")
    workflow_id = insert_workflow(database, name="Orders", nodes=NODES, edges=EDGES, workspace="shop")
    assert runbooks("generate", workflow_id, env=env).returncode == 0
    alone = runbooks("diff", workflow_id, env=env)
    assert alone.returncode == 2
    assert "nothing to compare it with" in alone.stderr
    changed = json.dumps([*NODES, {"id": "tell", "type": "action_slack_message"}])
    with connected(database) as connection:
        connection.execute(text("UPDATE workflows SET nodes = CAST(:nodes AS json)"), {"nodes": changed})
    assert runbooks("generate", workflow_id, env=env).returncode == 0

    listed = json.loads(runbooks("history", workflow_id, "--json", env=env).stdout)
    assert [(one["version"], one["reason"], one["is_current"]) for one in listed] == [
        (2, "definition", True),
        (1, "first", False),
    ]
    assert "the workflow's definition changed" in runbooks("history", workflow_id, env=env).stdout

    text_diff = runbooks("diff", workflow_id, env=env).stdout
    assert text_diff.startswith("Version 1 to 2: the workflow's definition changed.")
    assert '+ "tell" (Slack)' in text_diff
    document = json.loads(runbooks("diff", workflow_id, "1", "2", "--json", env=env).stdout)
    assert {"kind": "added", "where": '"tell" (Slack)', "what": "", "before": [], "after": []} in document["changes"]
    missing = runbooks("diff", workflow_id, "7", env=env)
    assert missing.returncode == 2
    assert "there is no version 7; kept are 1, 2" in missing.stderr


def test_a_workflow_without_a_runbook_has_no_history(database: URL) -> None:
    env = {"RUNBOOKS_DATABASE_URL": database.render_as_string(hide_password=False)}
    done = runbooks("history", "00000000-0000-0000-0000-000000000000", env=env)
    assert done.returncode == 2
    assert "try `runbooks generate" in done.stderr


def test_generate_tells_why_the_model_did_not_write(
    database: URL, llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm_server.default = models.refusal
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    insert_workspace(database, slug="shop")
    workflow_id = insert_workflow(database, name="Orders", nodes=NODES, edges=EDGES, workspace="shop")
    done = runbooks("generate", workflow_id)
    assert done.returncode == 0
    assert "the catalogue wrote it although a model was asked: the model refused to answer" in done.stderr
    llm_server.default = models.good
    assert "although" not in runbooks("generate", workflow_id).stderr
