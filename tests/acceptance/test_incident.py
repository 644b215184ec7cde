"""An execution fails, and the person on call asks what to do: on each kind of database, with the real command."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL, text

from tests.support.commands import runbooks
from tests.support.history import add_attempt, add_execution, add_run, insert_row
from tests.support.hosts import connected, insert_workflow

NOW = datetime.now(UTC).replace(microsecond=0)
SECRET = "sk_" + "live_" + "Fake0Key1Of2Nobody3At4All5"
NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {
        "id": "invoice",
        "type": "action_http_request",
        "data": {"label": "Make invoice", "config": {"url": "https://billing.example/invoices", "method": "POST"}},
    },
    {
        "id": "charge",
        "type": "action_http_request",
        "data": {"label": "Charge card", "config": {"url": "https://api.stripe.com/v1/charges", "method": "POST"}},
    },
]
EDGES = [{"id": "a", "source": "in", "target": "invoice"}, {"id": "b", "source": "invoice", "target": "charge"}]


@pytest.fixture(params=["older_host", "newer_host"])
def host(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> URL:
    url: URL = request.getfixturevalue(request.param)
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert runbooks("migrate").returncode == 0
    return url


def fail(url: URL) -> tuple[str, str]:
    """Let the workflow fail at its third node; returns the ids of execution and workflow."""
    workflow = insert_workflow(url, name="Orders", nodes=NODES, edges=EDGES)
    with connected(url) as connection:
        execution = add_execution(connection, workflow, NOW, status="failed", error={"message": "charge failed"})
        for place, key in enumerate(("in", "invoice"), start=1):
            add_run(connection, execution, NOW, node_id=key, node_type="action_http_request", sequence=place)
        said = f"Invalid API Key provided: {SECRET}"
        run = add_run(
            connection, execution, NOW, node_id="charge", status="failed", error={"message": said}, sequence=3
        )
        add_attempt(
            connection, execution, NOW, execution_node_id=run, status="client_error", status_code=401,
            error_message=said,
        )  # fmt: skip
    return execution, workflow


def row_of(url: URL, execution: str) -> dict[str, Any]:
    with connected(url) as connection:
        query = text("SELECT * FROM execution_runbooks WHERE execution_id::text = :id")
        return dict(connection.execute(query, {"id": execution}).mappings().one())


def test_the_command_stores_and_shows_what_fits(host: URL) -> None:
    execution, workflow = fail(host)
    done = runbooks("incident", execution)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("# Stripe API: authentication failed at Charge card")
    assert 'Done already: "Make invoice" (POST /invoices' in done.stdout
    row = row_of(host, execution)
    assert (row["type"], row["status"], str(row["workflow_id"])) == ("reactive", "open", workflow)
    assert row["title"] == "Stripe API: authentication failed at Charge card"
    assert SECRET[8:20] not in done.stdout + json.dumps(row, default=str)


def test_the_generated_runbook_is_what_the_incident_is_taken_from(host: URL) -> None:
    execution, workflow = fail(host)
    assert runbooks("generate", workflow, "--writer", "catalogue").returncode == 0
    found = json.loads(runbooks("incident", execution, "--format", "json").stdout)
    assert found["from_stored"] is True
    assert found["failure_class"] == "auth_failed"
    (section,) = found["sections"]
    assert (section["integration"], section["node_key"]) == ("Stripe API", "charge")
    assert section["failure_scenarios"][0]["failure_class"] == "auth_failed"
    assert found["outcome"] == "created"


def test_the_platforms_row_keeps_what_belongs_to_people_and_an_edited_one_is_left_alone(host: URL) -> None:
    execution, workflow = fail(host)
    with connected(host) as connection:
        workspace = connection.execute(
            text("SELECT workspace_id::text FROM workflows WHERE id::text = :id"), {"id": workflow}
        ).scalar_one()
        insert_row(
            connection, "execution_runbooks", workspace_id=workspace, workflow_id=workflow, execution_id=execution,
            severity="critical", title="Execution Failure Runbook", summary="charge failed", steps=[],
            tags=["auto-generated", "execution-failure", "action_http_request"], status="acknowledged",
            acknowledged_at=NOW, created_at=NOW, updated_at=NOW,
        )  # fmt: skip
    assert json.loads(runbooks("incident", execution, "--format", "json").stdout)["outcome"] == "updated"
    row = row_of(host, execution)
    assert (row["status"], row["severity"], row["tags"][0]) == ("acknowledged", "critical", "auto-generated")
    with connected(host) as connection:
        connection.execute(text("UPDATE execution_runbooks SET summary = 'Ben: the key was rolled.'"))
    done = runbooks("incident", execution)
    assert done.returncode == 0
    assert "edited" in done.stderr
    assert row_of(host, execution)["summary"] == "Ben: the key was rolled."


def test_what_cannot_be_explained_is_one_line(host: URL) -> None:
    with connected(host) as connection:
        workflow = insert_workflow(host, name="Fine", nodes=NODES, edges=EDGES)
        fine = add_execution(connection, workflow, NOW)
    for argument, told in ((fine, "only a failed one"), ("no-id", "no execution id here")):
        done = runbooks("incident", argument)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert told in done.stderr
