"""What the platform tells: a workflow was published, an execution failed. Noted at once, acted on in the background."""

import time
from datetime import timedelta
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Header, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from app.api.errors import INVALID, ApiError, by_field, documented
from app.api.plain_text import PlainText
from app.api.schemas import Accepted
from app.api.state import Shared, State
from runbooks.adapters.database import fits
from runbooks.adapters.pending_events import Kind, accept_signature, tell
from runbooks.core.signature import SignatureRefused, verify

router = APIRouter(tags=["webhooks"])

QUIET = timedelta(seconds=1.5)
"""A burst of publishes counts as over after so long a pause."""
LONGEST = timedelta(seconds=10)
"""A burst without pauses is acted on every so often."""
SIGNATURE = 't=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">'

Body = TypeVar("Body", bound=BaseModel)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[
    PlainText, BeforeValidator(_as_text, json_schema_input_type=str | int), Field(min_length=1, max_length=64)
]
"""The older platform sends numbers."""


class Published(BaseModel):
    """A workflow was published."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "workspace_id": "d62be8d3-29dc-5d50-9b45-1fd28071d83f",
                    "workflow_id": "8feefc99-6f6a-568b-977e-643ed2464b5e",
                }
            ]
        },
    )

    workspace_id: Id
    workflow_id: Id
    version_id: Id | None = None


class Failed(BaseModel):
    """An execution failed."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"execution_id": "8bb54753-3459-4034-8a0a-78a0e99971e5"}]}
    )

    execution_id: Id


async def _body(request: Request) -> bytes:
    return await request.body()


RawBody = Annotated[bytes, Depends(_body)]
Signature = Annotated[str, Header(alias="X-Signature", description=SIGNATURE, max_length=1000)]


def _documented(model: type[BaseModel]) -> dict[str, Any]:
    """The body is checked against its signature as it comes, so that FastAPI does not see its model."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}", mode="validation")
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@router.post(
    "/webhooks/workflow-published",
    status_code=202,
    response_model=Accepted,
    responses=documented(400, 401, 409, 413, 422),
    openapi_extra=_documented(Published),
)
def workflow_published(body: RawBody, shared: Shared, x_signature: Signature = "") -> Accepted:
    """Have the runbook of a published workflow written; a burst about one workflow is one run, or two."""
    signature, told = _checked(Published, body, x_signature, shared)
    payload = {"workspace_id": told.workspace_id, "workflow_id": told.workflow_id}
    if told.version_id is not None:
        payload["version_id"] = told.version_id
    for name in ("workspace_id", "workflow_id"):
        payload[name] = _own(shared, name, payload[name])
    _note(shared, signature, Kind.PUBLISHED, payload["workflow_id"], payload, quiet=QUIET, longest=LONGEST)
    return Accepted(message="Accepted.")


@router.post(
    "/webhooks/execution-failed",
    status_code=202,
    response_model=Accepted,
    responses=documented(400, 401, 409, 413, 422),
    openapi_extra=_documented(Failed),
)
def execution_failed(body: RawBody, shared: Shared, x_signature: Signature = "") -> Accepted:
    """Have the runbook of a failed execution written, with the scenario that fits its error."""
    signature, told = _checked(Failed, body, x_signature, shared)
    execution_id = _own(shared, "execution_id", told.execution_id)
    _note(shared, signature, Kind.FAILED, execution_id, {"execution_id": execution_id})
    return Accepted(message="Accepted.")


def _checked(model: type[Body], body: bytes, header: str, shared: State) -> tuple[str, Body]:
    if not shared.webhook_secrets:
        raise ApiError(503, "Webhooks are off: RUNBOOKS_WEBHOOK_SECRETS is not set.", headers={"Retry-After": "3600"})
    try:
        signature = verify(header, body, secrets=shared.webhook_secrets, now=time.time())
    except SignatureRefused as refused:
        raise ApiError(401, f"Refused: {refused}.") from None
    try:
        return signature, model.model_validate_json(body)
    except ValidationError as error:
        raise ApiError(422, INVALID, fields={k: v[0] for k, v in by_field(error.errors()).items()}) from None


def _own(shared: State, name: str, value: str) -> str:
    id_type = shared.database.schema.id_type
    if not fits(value, id_type):
        raise ApiError(422, INVALID, fields={name: "can be no id here"})
    return value.lower() if id_type == "uuid" else value


def _note(shared: State, signature: str, kind: Kind, subject: str, payload: dict[str, str], **when: timedelta) -> None:
    with shared.database.begin() as connection:
        if not accept_signature(connection, signature):
            raise ApiError(409, "This delivery was received before.")
        tell(connection, kind, subject, payload, **when)
    shared.wake()
