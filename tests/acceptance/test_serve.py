"""The API as a process: started, stopped in the middle of work, and told of a port that is taken."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import URL

from runbooks.core.signature import sign
from tests.app.api.conftest import EDGES, NODES, SECRET
from tests.support.api_server import ApiServer, serving
from tests.support.commands import runbooks
from tests.support.hosts import insert_workflow, insert_workspace
from tests.support.llm_server import Answer, LLMServer, Received, good
from tests.support.prefect import PrefectServer


@pytest.fixture
def env(database: URL) -> dict[str, str]:
    return {"RUNBOOKS_DATABASE_URL": database.render_as_string(hide_password=False), "PREFECT_API_URL": ""}


def new_token(env: dict[str, str], workspace: str) -> str:
    done = runbooks("token", "create", "--workspace", workspace, "--scopes", "runbooks:generate", "--json", env=env)
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["token"])


def post(url: str, token: str) -> tuple[int, bytes]:
    request = urllib.request.Request(url, method="POST", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return answer.status, answer.read()


def test_a_server_that_is_stopped_finishes_running_requests(
    database: URL, env: dict[str, str], llm_server: LLMServer
) -> None:
    asked = threading.Event()

    def slow(request: Received) -> Answer:
        asked.set()
        time.sleep(1.5)
        return good(request)

    llm_server.default = slow
    workspace = insert_workspace(database, slug="shop")
    workflow = insert_workflow(database, nodes=NODES, edges=EDGES)
    env |= {"RUNBOOKS_MODEL": "test-model", "OPENAI_BASE_URL": llm_server.base_url}
    token = new_token(env, workspace)
    with serving(env) as server:
        url = f"{server.url}/api/v1/workspaces/{workspace}/workflows/{workflow}/ai/generate-runbook"
        answers: list[tuple[int, bytes]] = []
        client = threading.Thread(target=lambda: answers.append(post(url, token)))
        client.start()
        assert asked.wait(30)
        server.process.send_signal(signal.SIGTERM)
        client.join(60)
        assert server.process.wait(60) == 0
    assert "Application shutdown complete" in "".join(server.log)
    ((status, body),) = answers
    assert status == 200
    assert json.loads(body)["runbook"]["ai_generated"]


def test_the_server_starts_without_a_database_and_says_so(env: dict[str, str]) -> None:
    env["RUNBOOKS_DATABASE_URL"] = "postgresql://u:notasecret@127.0.0.1:9/x"
    with serving(env) as server:
        with urllib.request.urlopen(f"{server.url}/healthz", timeout=10) as answer:
            assert answer.status == 200
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"{server.url}/readyz", timeout=20)
        assert refused.value.code == 503
        assert b"notasecret" not in refused.value.read()
        refused.value.close()
    assert "no connection to the database" in "".join(server.log)
    assert "notasecret" not in "".join(server.log)
    assert "Traceback" not in "".join(server.log)


def test_a_port_that_is_taken_is_told_in_one_line(env: dict[str, str]) -> None:
    with serving(env) as server:
        done = runbooks("serve", "--port", server.url.rpartition(":")[2], env=env)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "--port" in done.stderr


def test_tokens_are_made_listed_and_revoked(database: URL, env: dict[str, str], tmp_path: Path) -> None:
    workspace = insert_workspace(database, slug="shop")
    made = runbooks(
        "token", "create", "--workspace", workspace, "--scopes", "runbooks:read,coverage:read", "--expires-days", "30",
        "--name", "grafana", "--json", env=env,
    )  # fmt: skip
    token = json.loads(made.stdout)
    assert set(token) == {"id", "token"}
    listed = runbooks("token", "list", "--json", env=env)
    (row,) = json.loads(listed.stdout)
    assert (row["id"], row["name"], row["workspace"], row["scopes"]) == (
        token["id"], "grafana", workspace, ["runbooks:read", "coverage:read"],
    )  # fmt: skip
    assert row["expires_at"] is not None
    assert token["token"] not in listed.stdout
    assert "grafana" in runbooks("token", "list", env=env).stdout
    assert runbooks("token", "revoke", token["id"], env=env).returncode == 0
    assert json.loads(runbooks("token", "list", "--json", env=env).stdout)[0]["revoked_at"] is not None


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["create", "--workspace", "all", "--scopes", "runbooks:everything"], "runbooks:everything"),
        (["create", "--workspace", "all", "--scopes", ","], "no scope"),
        (["create", "--workspace", "nowhere", "--scopes", "runbooks:read"], "nowhere"),
        (["create", "--workspace", "all", "--scopes", "runbooks:read", "--user", "nobody"], "nobody"),
        (["create", "--workspace", "all", "--scopes", "runbooks:read", "--expires-days", "0"], "at least 1"),
        (["revoke", "99"], "99"),
        (["revoke", "nonsense"], "nonsense"),
    ],
)
def test_what_cannot_be_done_with_tokens_is_told_in_one_line(
    env: dict[str, str], arguments: list[str], told: str
) -> None:
    done = runbooks("token", *arguments, env=env)
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def events_of(prefect_api: str, name: str) -> list[dict[str, Any]]:
    """What the Prefect server knows of such events, newest first."""
    asked = {"filter": {"event": {"name": [name]}}, "limit": 50}
    deadline = time.monotonic() + 30
    while True:
        found: list[dict[str, Any]] = httpx.post(f"{prefect_api}/events/filter", json=asked).json()["events"]
        if found:
            return found
        assert time.monotonic() < deadline, f"no event {name} arrived"
        time.sleep(0.2)


def hook(server: ApiServer, kind: str, body: dict[str, str]) -> int:
    sent = json.dumps(body).encode()
    headers = {"X-Signature": sign(SECRET, int(time.time()), sent)}
    return httpx.post(f"{server.url}/api/v1/webhooks/{kind}", content=sent, headers=headers).status_code


def test_with_a_prefect_server_a_request_is_a_flow_run_and_a_webhook_an_event(
    database: URL, env: dict[str, str], prefect_process: PrefectServer, prefect_home: Path
) -> None:
    workspace = insert_workspace(database, slug="shop")
    workflow = insert_workflow(database, nodes=NODES, edges=EDGES)
    env |= {"PREFECT_API_URL": prefect_process.api, "PREFECT_HOME": str(prefect_home)}
    env["RUNBOOKS_WEBHOOK_SECRETS"] = SECRET
    token = new_token(env, workspace)
    with serving(env) as server:
        url = f"{server.url}/api/v1/workspaces/{workspace}/workflows/{workflow}/ai/generate-runbook"
        assert post(url, token)[0] == 200
        for number in range(5):
            told = {"workspace_id": workspace, "workflow_id": workflow, "version_id": f"{number:08}-{workflow[9:]}"}
            assert hook(server, "workflow-published", told) == 202
        assert hook(server, "execution-failed", {"execution_id": workflow}) == 202
        (failed,) = events_of(prefect_process.api, "runbooks.execution.failed")
        published = events_of(prefect_process.api, "runbooks.workflow.published")
    flow = {"flows": {"name": {"any_": ["workflow-published"]}}}
    runs = httpx.post(f"{prefect_process.api}/flow_runs/filter", json=flow).json()
    assert workflow in [run["parameters"].get("workflow_id") for run in runs]
    assert failed["payload"] == {"execution_id": workflow}
    assert failed["resource"]["prefect.resource.id"] == f"runbooks.execution.{workflow}"
    mine = [event["payload"] for event in published if event["payload"]["workflow_id"] == workflow]
    assert 1 <= len(mine) <= 2
    assert mine[0] == {"workspace_id": workspace, "workflow_id": workflow, "version_id": f"00000004-{workflow[9:]}"}


def test_a_prefect_server_that_is_down_keeps_nobody_waiting_for_a_runbook(
    database: URL, env: dict[str, str], tmp_path: Path
) -> None:
    workspace = insert_workspace(database, slug="shop")
    workflow = insert_workflow(database, nodes=NODES, edges=EDGES)
    env |= {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_HOME": str(tmp_path)}
    token = new_token(env, workspace)
    with serving(env) as server:
        url = f"{server.url}/api/v1/workspaces/{workspace}/workflows/{workflow}/ai/generate-runbook"
        started = time.monotonic()
        status, body = post(url, token)
        assert status == 200
        assert json.loads(body)["runbook"]["sections"]
        assert time.monotonic() - started < 20
