import json
import time
from typing import Any

import pytest
from sqlalchemy import text

from runbooks.core.signature import sign
from tests.app.api.conftest import SECRET, Api
from tests.support.history import NOW, add_execution, add_run
from tests.support.hosts import connected, insert_workspace

SOMETHING = "00000000-0000-0000-0000-000000000001"


def published(api: Api, **values: Any) -> dict[str, Any]:
    return {"workspace_id": api.workspace, "workflow_id": api.workflow, **values}


def pending(api: Api) -> int:
    with connected(api.database) as connection:
        return int(connection.execute(text("SELECT count(*) FROM runbook_pending_events")).scalar_one())


def wait_until_done(api: Api, *, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while pending(api):
        assert time.monotonic() < deadline, "the event was not acted on"
        time.sleep(0.05)


def runs(api: Api, flow: str) -> dict[str, float]:
    found = api.app.state.runbooks.metrics.runs.collect()[0].samples
    return {
        sample.labels["outcome"]: sample.value
        for sample in found
        if sample.name.endswith("_total") and sample.labels["flow"] == flow
    }


def fail_execution(api: Api) -> str:
    with connected(api.database) as connection:
        error = {"message": "client error: status 401: Invalid API Key provided"}
        execution = add_execution(connection, api.workflow, NOW, status="failed", error=error)
        add_run(connection, execution, NOW, node_id="http_stripe", status="failed", error=error)
    return execution


def test_a_published_workflow_gets_its_runbook(api: Api) -> None:
    assert api.hook("workflow-published", published(api)).status_code == 202
    wait_until_done(api)
    (row,) = api.get(f"/workflows/{api.workflow}/runbooks").json()["data"]
    assert row["type"] == "proactive"
    assert runs(api, "workflow-published") == {"completed": 1}


def test_a_failed_execution_gets_its_runbook_within_a_second(api: Api) -> None:
    execution = fail_execution(api)
    api.proactive()
    started = time.monotonic()
    assert api.hook("execution-failed", {"execution_id": execution}).status_code == 202
    wait_until_done(api)
    assert time.monotonic() - started < 2
    (row,) = api.get("/runbooks?type=reactive").json()["data"]
    assert row["execution_id"] == execution
    assert "Stripe API" in row["title"]


def test_a_burst_of_publishes_is_one_run_or_two_and_covers_the_last_version(api: Api) -> None:
    for number in range(20):
        with connected(api.database) as connection:
            connection.execute(text("UPDATE workflows SET name = :name"), {"name": f"Version {number}"})
        version = f"00000000-0000-0000-0000-{number:012}"
        assert api.hook("workflow-published", published(api, version_id=version)).status_code == 202
    wait_until_done(api)
    assert 1 <= runs(api, "workflow-published")["completed"] <= 2
    assert api.proactive()["title"] == "Runbook: Version 19"


def test_what_is_published_while_a_run_is_under_way_is_covered_too(api: Api) -> None:
    assert api.hook("workflow-published", published(api)).status_code == 202
    with connected(api.database) as connection:  # somebody has taken it, and reads the definition right now
        connection.execute(text("UPDATE runbook_pending_events SET taken_at = now(), due_at = now()"))
    assert api.hook("workflow-published", published(api, version_id=SOMETHING)).status_code == 202
    with connected(api.database) as connection:
        tellings = connection.execute(text("SELECT tellings FROM runbook_pending_events")).scalar_one()
    assert tellings == 2
    assert pending(api) == 1


def test_every_valid_secret_is_accepted(api: Api) -> None:
    assert api.hook("workflow-published", published(api), secret="an-older-secret").status_code == 202


@pytest.mark.parametrize(
    "signature",
    [None, "", "t=1,v1=", "v1=" + "0" * 64, "t=now,v1=" + "0" * 64, "nonsense", "t=1,t=2,v1=" + "0" * 64, "x" * 900],
)
def test_a_signature_that_is_missing_or_malformed_is_refused(api: Api, signature: str | None) -> None:
    answer = api.raw_hook("execution-failed", b"{}", signature)
    assert answer.status_code == 401
    assert set(answer.json()) == {"message", "errors"}
    assert pending(api) == 0


def test_a_forged_signature_is_refused(api: Api) -> None:
    assert api.hook("workflow-published", published(api), secret="guessed").status_code == 401
    body = json.dumps(published(api)).encode()
    signed = sign(SECRET, int(time.time()), body)
    for forged in (
        (body.replace(b'"', b" ", 1), signed),
        (body, signed.replace("t=", "t=1", 1)),
        (body, signed[:-1] + ("0" if signed[-1] != "0" else "1")),
    ):
        assert api.raw_hook("workflow-published", *forged).status_code == 401
    assert pending(api) == 0


@pytest.mark.parametrize("seconds", [-310, -86_400, 310, 86_400])
def test_a_stale_signature_is_refused(api: Api, seconds: int) -> None:
    answer = api.hook("workflow-published", published(api), at=time.time() + seconds)
    assert answer.status_code == 401
    assert "300 s" in answer.json()["message"]


def test_a_delivery_is_accepted_once_by_whatever_process(api: Api) -> None:
    body = json.dumps(published(api)).encode()
    signature = sign(SECRET, int(time.time()), body)
    assert api.raw_hook("workflow-published", body, signature).status_code == 202
    assert api.raw_hook("workflow-published", body, signature).status_code == 409
    assert api.raw_hook("workflow-published", body, f"{signature},v1={'0' * 64}").status_code == 409
    from fastapi.testclient import TestClient

    from app.api.application import create_app
    from runbooks.settings import load_settings

    other = TestClient(create_app(load_settings()))
    answer = other.post("/api/v1/webhooks/workflow-published", content=body, headers={"X-Signature": signature})
    assert answer.status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b"[" * 20_000,
        b"\xff",
        {"workspace_id": 12, "workflow_id": SOMETHING},
        {"workspace_id": SOMETHING, "workflow_id": "' OR true --"},
        {"workspace_id": SOMETHING, "workflow_id": SOMETHING, "more": 1},
        {"workspace_id": SOMETHING, "workflow_id": True},
        {"workspace_id": SOMETHING, "workflow_id": SOMETHING, "version_id": "nul \0"},
        {"workspace_id": SOMETHING, "workflow_id": SOMETHING, "version_id": "half \ud800"},
        {"workspace_id": SOMETHING},
    ],
)
def test_a_signed_body_that_makes_no_sense_is_refused(api: Api, body: Any) -> None:
    answer = api.hook("workflow-published", body)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert pending(api) == 0


def test_a_workflow_of_another_workspace_is_left_alone(api: Api) -> None:
    other = insert_workspace(api.database, slug="sales")
    assert api.hook("workflow-published", {**published(api), "workspace_id": other}).status_code == 202
    wait_until_done(api)
    assert api.get(f"/workflows/{api.workflow}/runbooks").json()["data"] == []
    assert runs(api, "workflow-published") == {}


def test_a_replay_is_skipped_and_is_no_failed_run(api: Api) -> None:
    execution = fail_execution(api)
    with connected(api.database) as connection:
        connection.execute(text("UPDATE executions SET is_deterministic_replay = true"))
    assert api.hook("execution-failed", {"execution_id": execution}).status_code == 202
    wait_until_done(api)
    assert runs(api, "execution-failed") == {"skipped": 1}


def test_an_execution_that_is_not_there_yet_is_looked_at_again(api: Api) -> None:
    assert api.hook("execution-failed", {"execution_id": SOMETHING}).status_code == 202
    deadline = time.monotonic() + 10
    while True:
        with connected(api.database) as connection:
            row = connection.execute(text("SELECT failures, taken_at FROM runbook_pending_events")).one()
        if row.failures == 1 or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert (row.failures, row.taken_at) == (1, None)


def test_without_secrets_webhooks_are_off_and_say_so(api: Api) -> None:
    api.app.state.runbooks.webhook_secrets = ()
    answer = api.hook("workflow-published", published(api))
    assert answer.status_code == 503
    assert "RUNBOOKS_WEBHOOK_SECRETS" in answer.json()["message"]
