"""The API as a process: started, stopped in the middle of work, and told of a port that is taken."""

import json
import signal
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from sqlalchemy import URL

from tests.app.api.conftest import EDGES, NODES
from tests.support.api_server import serving
from tests.support.commands import runbooks
from tests.support.hosts import insert_workflow, insert_workspace
from tests.support.llm_server import Answer, LLMServer, Received, good


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
