import json
import logging

import pytest
from sqlalchemy import text

from app.api.edge import LARGEST_BODY
from tests.app.api.conftest import Api
from tests.support.hosts import connected

NOWHERE = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing/here", 404),
        ("GET", "/api/v1/workspaces", 404),
        ("DELETE", "/healthz", 405),
        ("PUT", "/api/v1/webhooks/workflow-published", 405),
    ],
)
def test_unknown_paths_and_methods_are_told_in_the_platforms_shape(
    api: Api, method: str, path: str, status: int
) -> None:
    answer = api.client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"message", "errors"}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page=0", "page"),
        ("page=-1", "page"),
        ("page=99999999999999999999999", "page"),
        ("page=x", "page"),
        ("per_page=101", "per_page"),
        ("per_page=0", "per_page"),
        ("status=gone", "status"),
        ("type=%00", "type"),
        ("severity=' OR 1=1 --", "severity"),
    ],
)
def test_a_bad_query_names_the_field(api: Api, query: str, field: str) -> None:
    answer = api.get(f"/runbooks?{query}")
    assert answer.status_code == 422
    assert list(answer.json()["errors"]) == [field]
    assert answer.json()["message"] == "The given data was invalid."


@pytest.mark.parametrize(
    "odd",
    [
        "1",
        "nonsense",
        "' OR true --",
        "1; DROP TABLE workflows",
        "%00",
        "..%2f..%2fetc%2fpasswd",
        "%f0%9f%92%a3",
        "0" * 64,
        NOWHERE,
        NOWHERE + "%00",
        "{}",
    ],
)
def test_ids_that_name_nothing_are_not_found(api: Api, odd: str) -> None:
    for path in (
        f"/workspaces/{odd}/runbooks",
        f"/workspaces/{api.workspace}/runbooks/{odd}",
        f"/workspaces/{api.workspace}/runbooks/{odd}/history",
        f"/workspaces/{api.workspace}/runbook-requests/{odd}",
    ):
        answer = api.client.get(f"/api/v1{path}", headers=api.headers)
        assert (answer.status_code, answer.json()) == (404, {"message": "Not found.", "errors": {}}), path
    answer = api.post(f"/workflows/{odd}/ai/generate-runbook")
    assert answer.status_code == 404
    with connected(api.database) as connection:
        assert connection.execute(text("SELECT count(*) FROM workflows")).scalar_one() == 1


def test_a_workflow_id_that_names_nothing_lists_nothing(api: Api) -> None:
    assert api.get(f"/workflows/{NOWHERE}/runbooks").json()["data"] == []


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[" * 30_000,
        b'{"rating":' * 5_000,
        b"\xff\xfe",
        b'{"rating": "useful\x00"}',
        b'{"rating": NaN}',
        b'{"rating": 1e999}',
        b'{"rating": ' + b"9" * 6000 + b"}",
        b"null",
        b"",
        b'"useful"',
        b'{"rating": "good"}',
        b'{"rating": "useful", "extra": 1}',
        b'{"rating": "useful", "comment": "nul \\u0000"}',
        b'{"rating": "useful", "comment": "half \\ud800"}',
        b'{"rating": "useful", "scenario_id": {"$gt": ""}}',
    ],
)
def test_bodies_that_make_no_sense_are_refused(api: Api, body: bytes) -> None:
    path = f"/runbooks/{api.proactive()['id']}/ratings"
    answer = api.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}, answer.text
    assert set(answer.json()) == {"message", "errors"}
    assert "useful\x00" not in answer.text


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_unread(api: Api, chunked: bool) -> None:
    big = b'{"comment": "' + b"x" * LARGEST_BODY + b'"}'
    content = iter([big[:1000], big[1000:]]) if chunked else big
    answer = api.client.post("/api/v1/webhooks/execution-failed", content=content)
    assert answer.status_code == 413
    assert set(answer.json()) == {"message", "errors"}


def test_every_answer_has_a_request_id_and_the_log_has_it_too(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "app.api")
    given = api.client.get("/healthz", headers={"X-Request-ID": "from-the-proxy.1"})
    assert given.headers["x-request-id"] == "from-the-proxy.1"
    made = api.client.get("/nothing", headers={"X-Request-ID": "two\twords"})
    assert made.headers["x-request-id"] != "two\twords"
    for answer in (given, made):
        assert f"request={answer.headers['x-request-id']} " in caplog.text


def test_no_token_signature_or_query_gets_into_the_log(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    api.get("/runbooks?status=secretlooking")
    api.get("/runbooks/planted-in-path")
    api.hook("execution-failed", {"execution_id": NOWHERE}, secret="planted-secret-key")
    assert api.headers["Authorization"].removeprefix("Bearer ") not in caplog.text
    ours = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith("app."))
    assert "secretlooking" not in ours
    assert "planted" not in ours
    assert "request=" in ours


def test_an_error_nobody_foresaw_tells_no_details(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    with connected(api.database) as connection:
        connection.execute(text("ALTER TABLE execution_runbooks ALTER COLUMN status TYPE text USING 'planted-value'"))
        connection.execute(text("ALTER TABLE execution_runbooks DROP COLUMN severity"))
    answer = api.get("/runbooks?severity=high")
    assert answer.status_code in {500, 503}
    assert set(answer.json()) == {"message", "errors"}
    for detail in ("Traceback", "psycopg", "SELECT", ".py", "column"):
        assert detail not in answer.text


def test_no_other_origin_may_read_answers(api: Api) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer = api.client.get("/healthz", headers=asked)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert api.client.options("/healthz", headers=asked).status_code == 405


def test_the_openapi_document_has_examples_and_every_error(api: Api) -> None:
    document = api.client.get("/openapi.json").json()
    assert api.client.get("/docs").status_code == 200
    text_of = json.dumps(document)
    assert '"examples"' in text_of
    for path, operations in document["paths"].items():
        for operation in operations.values():
            assert operation["summary"]
            if path.startswith("/api/v1/workspaces"):
                assert {"401", "403", "404", "422", "429", "503"} <= set(operation["responses"]), path
                assert operation["security"]
