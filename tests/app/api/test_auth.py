import pytest
from sqlalchemy import text

from runbooks.adapters.tokens import list_tokens, revoke_token
from runbooks.core.scopes import Scope
from tests.app.api.conftest import Api
from tests.support.hosts import connected, insert_workspace

NOWHERE = "00000000-0000-0000-0000-000000000000"


def status_with(api: Api, token: str, workspace: str | None = None) -> tuple[int, dict[str, object]]:
    answer = api.client.get(
        f"/api/v1/workspaces/{workspace or api.workspace}/runbooks", headers={"Authorization": f"Bearer {token}"}
    )
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwdw==",
        "Bearer rbk_" + "a" * 43,
        "Bearer rbk_short",
        "Bearer ' OR 1=1 --",
        "Bearer " + "x" * 5000,
    ],
)
def test_without_a_token_that_counts_nobody_is_let_in(api: Api, header: str | None) -> None:
    answer = api.client.get(
        f"/api/v1/workspaces/{api.workspace}/runbooks", headers={} if header is None else {"Authorization": header}
    )
    assert (answer.status_code, answer.json()) == (401, {"message": "Unauthenticated.", "errors": {}})
    assert answer.headers["www-authenticate"] == "Bearer"


def test_an_expired_token_counts_no_more(api: Api) -> None:
    token = api.token(expires_days=1)
    assert status_with(api, token)[0] == 200
    with connected(api.database) as connection:
        connection.execute(text("UPDATE runbook_tokens SET expires_at = now() - interval '1 second'"))
    assert status_with(api, token)[0] == 401


def test_a_revoked_token_counts_no_more_from_the_next_request_on(api: Api) -> None:
    token = api.token()
    assert status_with(api, token)[0] == 200
    with connected(api.database) as connection:
        assert revoke_token(connection, list_tokens(connection)[-1].id)
    assert status_with(api, token)[0] == 401


def test_a_scope_that_is_lacking_is_named(api: Api) -> None:
    status, body = status_with(api, api.token(Scope.GENERATE))
    assert status == 403
    assert body == {"message": "The token lacks the scope runbooks:read.", "errors": {}}


@pytest.mark.parametrize(
    ("scope", "method", "path"),
    [
        (Scope.GENERATE, "POST", "/workflows/{workflow}/ai/generate-runbook"),
        (Scope.READ, "GET", "/runbooks"),
        (Scope.READ, "GET", "/workflows/{workflow}/runbooks"),
        (Scope.READ, "GET", "/runbooks/" + NOWHERE),
        (Scope.READ, "GET", "/runbooks/" + NOWHERE + "/history"),
        (Scope.REVIEW, "POST", "/runbooks/" + NOWHERE + "/acknowledge"),
        (Scope.REVIEW, "POST", "/runbooks/" + NOWHERE + "/resolve"),
        (Scope.REVIEW, "POST", "/runbooks/" + NOWHERE + "/ratings"),
        (Scope.COVERAGE, "GET", "/coverage"),
        (Scope.COVERAGE, "GET", "/integrations"),
    ],
)
def test_each_use_needs_its_scope(api: Api, scope: Scope, method: str, path: str) -> None:
    url = f"/api/v1/workspaces/{api.workspace}{path.format(workflow=api.workflow)}"
    body = {"rating": "useful"} if path.endswith("ratings") else None

    def status(*scopes: Scope) -> int:
        headers = {"Authorization": f"Bearer {api.token(*scopes)}"}
        return api.client.request(method, url, headers=headers, json=body).status_code

    assert status(*(one for one in Scope if one is not scope)) == 403
    assert status(scope) in {200, 404}


def test_another_workspace_looks_as_if_it_were_not_there(api: Api) -> None:
    other = insert_workspace(api.database, slug="sales")
    token = api.token(workspace=other)
    assert status_with(api, token, other)[0] == 200
    theirs, nowhere = status_with(api, token), status_with(api, token, NOWHERE)
    assert theirs == nowhere == (404, {"message": "Not found.", "errors": {}})


def test_a_token_for_all_workspaces_opens_each_that_is_there(api: Api) -> None:
    with connected(api.database) as connection:
        connection.execute(text("UPDATE runbook_tokens SET workspace_id = NULL"))
    token = api.headers["Authorization"].removeprefix("Bearer ")
    assert status_with(api, token, insert_workspace(api.database, slug="sales"))[0] == 200
    assert status_with(api, token, NOWHERE)[0] == 404


def test_an_id_counts_however_it_is_written(api: Api) -> None:
    token = api.headers["Authorization"].removeprefix("Bearer ")
    assert status_with(api, token, api.workspace.upper())[0] == 200


def test_runbooks_of_another_workspace_are_not_there(api: Api) -> None:
    runbook = api.proactive()["id"]
    other = insert_workspace(api.database, slug="sales")
    headers = {"Authorization": f"Bearer {api.token(workspace=other)}"}
    for method, path in (("GET", ""), ("GET", "/history"), ("POST", "/acknowledge"), ("POST", "/resolve")):
        for workspace in (api.workspace, other):
            url = f"/api/v1/workspaces/{workspace}/runbooks/{runbook}{path}"
            assert api.client.request(method, url, headers=headers).status_code == 404
    url = f"/api/v1/workspaces/{other}/workflows/{api.workflow}/ai/generate-runbook"
    assert api.client.post(url, headers=headers).status_code == 404


def test_a_token_that_asks_too_often_is_told_when_to_come_back(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = api.app.state.runbooks.rate_limit
    monkeypatch.setattr(limit, "per_second", 1.0)
    monkeypatch.setattr(limit, "burst", 2.0)
    eager, calm = api.token(), api.token()
    answers = [status_with(api, eager)[0] for _ in range(4)]
    assert answers == [200, 200, 429, 429]
    refused = api.client.get(
        f"/api/v1/workspaces/{api.workspace}/runbooks", headers={"Authorization": f"Bearer {eager}"}
    )
    assert int(refused.headers["retry-after"]) >= 1
    assert status_with(api, calm)[0] == 200


def test_tokens_are_stored_as_hashes(api: Api) -> None:
    token = api.token(name="laptop")
    with connected(api.database) as connection:
        stored = connection.execute(text("SELECT runbook_tokens::text FROM runbook_tokens")).scalars().all()
    assert any("laptop" in row for row in stored)
    assert not any(token in row or token.removeprefix("rbk_") in row for row in stored)
