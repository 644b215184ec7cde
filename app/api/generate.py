"""Asking for a runbook, and where it stands."""

import asyncio
import re
from dataclasses import dataclass
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Header, Path, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from app.api.answers import JSON, json_answer
from app.api.auth import Access, Generator, own_id
from app.api.errors import INVALID, ApiError, documented, error_answer, not_found
from app.api.runbooks import WorkflowId
from app.api.schemas import Written, WrittenRunbook
from app.api.state import Shared, State
from runbooks.adapters.requests import (
    Asked,
    Outcome,
    RequestRow,
    is_workflow_of,
    read_key,
    read_request,
    save_key,
)

router = APIRouter(tags=["generate"])

ASYNC = re.compile(r"(?:^|[,;\s])respond-async(?:$|[,;\s])", re.IGNORECASE)


class GenerateBody(BaseModel):
    """What a runbook is made from."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"include_historical_data": True}]})

    include_historical_data: bool = Field(True, strict=True, description="Use what history says about its integrations")


class Status(BaseModel):
    """Where a request for a runbook stands."""

    id: str
    workflow_id: str
    status: Literal["running", "completed", "failed"]
    message: str | None
    """Why it failed."""
    created_at: str
    finished_at: str | None
    runbook: WrittenRunbook | None


class StatusAnswer(BaseModel):
    """The status resource."""

    data: Status


IdempotencyKey = Annotated[str | None, Header(min_length=1, max_length=255, pattern=r"^[\x21-\x7e]+$")]


@dataclass(frozen=True)
class Ask:
    """One request with its key."""

    asked: Asked
    access: Access
    key: str | None

    @property
    def text(self) -> str:
        """What the key stands for."""
        return f"{self.asked.workspace_id}/{self.asked.workflow_id}/{self.asked.include_historical_data}"


@router.post(
    "/workspaces/{workspace}/workflows/{workflow}/ai/generate-runbook",
    response_model=Written,
    responses={
        202: {
            "model": StatusAnswer,
            "description": "It takes longer, or `Prefer: respond-async` was sent; `Location` leads to the result",
            "headers": {"Location": {"description": "The status resource", "schema": {"type": "string"}}},
        },
        **documented(400, 401, 403, 404, 413, 422, 429),
    },
)
async def generate_runbook(
    workflow: WorkflowId,
    access: Generator,
    shared: Shared,
    body: GenerateBody | None = None,
    prefer: Annotated[str, Header(max_length=200)] = "",
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Write the runbook of a workflow now. Who asks while one is being written gets that one."""
    history = body.include_historical_data if body is not None else True
    asked = Asked(access.workspace_id, own_id(workflow, access.schema.id_type), history)
    ask = Ask(asked, access, idempotency_key)
    at_once = ASYNC.search(prefer) is not None
    known = await run_in_threadpool(_check, ask, shared)
    if known is not None and known.outcome is not None:
        return _finished(known.outcome, replayed=True)
    run = shared.runs.join(asked)
    request_id = await asyncio.shield(run.id)
    if idempotency_key is not None:
        await run_in_threadpool(_remember, ask, request_id, shared)
    if not at_once:
        done, _ = await asyncio.wait({run.outcome}, timeout=shared.wait_s)
        if done:
            return _finished(run.outcome.result())
    return await run_in_threadpool(_pending, ask, request_id, shared, preferred=at_once)


def _check(ask: Ask, shared: State) -> RequestRow | None:
    """The workflow is there, and the key is new, or stands for the very same; what it stands for, if it counts."""
    schema = ask.access.schema
    with shared.database.begin() as connection:
        if not is_workflow_of(connection, ask.asked.workspace_id, ask.asked.workflow_id, schema=schema):
            raise not_found()
        known = read_key(connection, ask.access.token.id, ask.key) if ask.key is not None else None
        if known is None:
            return None
        request_id, text = known
        if text != ask.text:
            raise ApiError(422, INVALID, fields={"Idempotency-Key": "was used for another request already"})
        row = read_request(connection, request_id, schema=schema)
    # What failed on our side may succeed this time.
    return row if row is not None and (row.outcome is None or row.outcome.status < 500) else None


def _remember(ask: Ask, request_id: str, shared: State) -> None:
    with shared.database.begin() as connection:
        save_key(connection, ask.access.token.id, str(ask.key), request_id=request_id, asked=ask.text)


def _finished(outcome: Outcome, *, replayed: bool = False) -> Response:
    headers = {"Idempotency-Replayed": "true"} if replayed else {}
    if outcome.result is None:
        if outcome.status == 503:
            headers["Retry-After"] = "5"
        return error_answer(outcome.status, outcome.message, headers=headers)
    return Response(outcome.result, media_type=JSON, headers=headers)


def _pending(ask: Ask, request_id: str, shared: State, *, preferred: bool) -> Response:
    with shared.database.begin() as connection:
        row = read_request(connection, request_id, schema=ask.access.schema)
    if row is None:
        raise not_found()
    answer = _status(row, status=202)
    answer.headers["Location"] = f"/api/v1/workspaces/{ask.asked.workspace_id}/runbook-requests/{request_id}"
    if preferred:
        answer.headers["Preference-Applied"] = "respond-async"
    return answer


@router.get(
    "/workspaces/{workspace}/runbook-requests/{request}",
    response_model=StatusAnswer,
    responses=documented(401, 403, 404, 422, 429),
)
def show_request(
    request: Annotated[str, Path(description="The id from `Location`", max_length=64)],
    access: Generator,
    shared: Shared,
) -> Response:
    """Say where a request for a runbook stands; it ends in the runbook, which is kept for a day."""
    request_id = own_id(request, "uuid")
    with shared.database.begin() as connection:
        row = read_request(connection, request_id, schema=access.schema, workspace_id=access.workspace_id)
    if row is None:
        raise not_found()
    return _status(row)


def _status(row: RequestRow, *, status: int = 200) -> Response:
    outcome = row.outcome
    state = "running" if outcome is None else "completed" if outcome.result is not None else "failed"
    told = {
        "id": row.id,
        "workflow_id": row.workflow_id,
        "status": state,
        "message": outcome.message if outcome is not None and outcome.result is None else None,
        "created_at": row.created_at,
        "finished_at": row.finished_at,
    }
    # The result is JSON already, an object with the one key `runbook`.
    runbook = outcome.result[1:] if outcome is not None and outcome.result is not None else '"runbook":null}'
    data = orjson.dumps(told, option=orjson.OPT_OMIT_MICROSECONDS).decode()[:-1] + "," + runbook
    answer = json_answer(data=data, status=status)
    if outcome is None:
        answer.headers["Retry-After"] = "2"
    return answer
