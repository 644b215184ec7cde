"""The application in this process, on a real database with one workspace and one workflow."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from httpx import Response
from sqlalchemy import URL

from app.api.application import create_app
from runbooks.adapters.tokens import create_token
from runbooks.bootstrap import open_database, open_writers
from runbooks.core.scopes import Scope
from runbooks.core.signature import sign
from runbooks.settings import load_settings
from tests.support.hosts import insert_workflow, insert_workspace

SECRET = "not-a-real-webhook-secret"
NODES = [
    {"id": "in", "type": "trigger_webhook"},
    {
        "id": "http_stripe",
        "type": "action_http_request",
        "label": "Charge card",
        "data": {"config": {"url": "https://api.stripe.com/v1/charges", "method": "POST"}},
    },
]
EDGES = [{"source": "in", "target": "http_stripe"}]


@dataclass
class Api:
    """The API, seen by a caller who may do everything in one workspace."""

    app: FastAPI
    client: TestClient
    database: URL
    workspace: str
    workflow: str
    headers: dict[str, str] = field(default_factory=dict)

    def token(self, *scopes: Scope, workspace: str | None = None, **values: Any) -> str:
        """A new token; of this workspace if nothing else is said."""
        database = open_database(load_settings())
        with database.begin() as connection:
            _, token = create_token(
                connection,
                schema=database.schema,
                scopes=scopes or tuple(Scope),
                workspace_id=workspace or self.workspace,
                **values,
            )
        return token

    def get(self, path: str, **values: Any) -> Response:
        return self.client.get(f"/api/v1/workspaces/{self.workspace}{path}", headers=self.headers, **values)

    def post(self, path: str, *, headers: dict[str, str] | None = None, **values: Any) -> Response:
        given = {**self.headers, **(headers or {})}
        return self.client.post(f"/api/v1/workspaces/{self.workspace}{path}", headers=given, **values)

    def generate(self, **values: Any) -> Response:
        return self.post(f"/workflows/{self.workflow}/ai/generate-runbook", **values)

    def proactive(self) -> dict[str, Any]:
        """The workflow's runbook, written if there is none."""
        path = f"/workflows/{self.workflow}/runbooks?type=proactive"
        if not self.get(path).json()["data"]:
            assert self.generate().status_code == 200
        row: dict[str, Any] = self.get(path).json()["data"][0]
        return row

    def hook(self, kind: str, body: Any, *, secret: str = SECRET, at: float | None = None) -> Response:
        """Tell the API something, signed."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        signature = sign(secret, int(at or time.time()), sent)
        return self.raw_hook(kind, sent, signature)

    def raw_hook(self, kind: str, body: bytes, signature: str | None) -> Response:
        headers = {"Content-Type": "application/json", **({"X-Signature": signature} if signature is not None else {})}
        return self.client.post(f"/api/v1/webhooks/{kind}", content=body, headers=headers)


@pytest.fixture
def settings_env(database: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """The settings name a database of the test's own; Prefect has no server."""
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", database.render_as_string(hide_password=False))
    monkeypatch.setenv("RUNBOOKS_WEBHOOK_SECRETS", f"an-older-secret,{SECRET}")
    monkeypatch.setenv("RUNBOOKS_API_RATE_PER_MINUTE", "0")
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    open_writers.cache_clear()
    yield database
    open_database(load_settings()).close()
    open_database.cache_clear()


@pytest.fixture
def api(settings_env: URL) -> Iterator[Api]:
    """The API, running."""
    workspace = insert_workspace(settings_env, slug="shop")
    workflow = insert_workflow(settings_env, nodes=NODES, edges=EDGES, name="Order Processing Pipeline")
    app = create_app(load_settings())
    with TestClient(app, raise_server_exceptions=False) as client:
        found = Api(app, client, settings_env, workspace, workflow)
        found.headers["Authorization"] = f"Bearer {found.token()}"
        yield found
    app.state.runbooks.database.close()
