"""Reading runbooks and reviewing them."""

from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import BaseModel

from app.api.answers import json_answer
from app.api.auth import Access, Reader, Reviewer, own_id
from app.api.errors import ApiError, documented, not_found
from app.api.pagination import Page, page_answer
from app.api.schemas import OneRunbook, RunbookPage, VersionPage
from app.api.state import Shared, State
from runbooks.adapters.runbook_list import (
    Wanted,
    acknowledge,
    count_rows,
    count_versions,
    has_row,
    list_rows,
    list_versions,
    read_row,
    resolve,
)
from runbooks.adapters.store import read_runbook
from runbooks.core.markdown import to_markdown
from runbooks.core.row_page import row_markdown

router = APIRouter(tags=["runbooks"], responses=documented(401, 403, 404, 422, 429))

MARKDOWN = "text/markdown"

RunbookId = Annotated[str, Path(description="The runbook's id", max_length=64)]
WorkflowId = Annotated[str, Path(description="The workflow's id", max_length=64)]


class Filter(BaseModel):
    """Which runbooks; what is left out is any."""

    type: Literal["reactive", "proactive"] | None = None
    status: Literal["open", "acknowledged", "resolved"] | None = None
    severity: Literal["low", "medium", "high", "critical"] | None = None


class ListQuery(Page, Filter):
    """Which page of which runbooks."""


Listed = Annotated[ListQuery, Query()]


@router.get("/workspaces/{workspace}/runbooks", response_model=RunbookPage)
def list_runbooks(request: Request, asked: Listed, access: Reader, shared: Shared) -> Response:
    """List the runbooks of a workspace, newest first."""
    return _page(request, asked, access, shared)


@router.get("/workspaces/{workspace}/workflows/{workflow}/runbooks", response_model=RunbookPage)
def list_workflow_runbooks(
    request: Request, workflow: WorkflowId, asked: Listed, access: Reader, shared: Shared
) -> Response:
    """List the runbooks of one workflow, newest first."""
    return _page(request, asked, access, shared, workflow_id=own_id(workflow, access.schema.id_type))


def _page(
    request: Request, asked: ListQuery, access: Access, shared: State, *, workflow_id: str | None = None
) -> Response:
    wanted = Wanted(access.workspace_id, workflow_id, asked.type, asked.status, asked.severity)
    with shared.database.begin() as connection:
        total = count_rows(connection, wanted, schema=access.schema)
        rows = list_rows(connection, wanted, schema=access.schema, limit=asked.per_page, offset=asked.offset)
    return page_answer(request, asked, total=total, rows=rows)


@router.get(
    "/workspaces/{workspace}/runbooks/{runbook}",
    response_model=OneRunbook,
    responses={200: {"content": {MARKDOWN: {"schema": {"type": "string"}}}}},
)
def show_runbook(
    runbook: RunbookId, access: Reader, shared: Shared, accept: Annotated[str, Header(max_length=1000)] = ""
) -> Response:
    """Show one runbook; as a page to read with `Accept: text/markdown`."""
    if MARKDOWN not in [part.partition(";")[0].strip().lower() for part in accept.split(",")]:
        return _one(runbook, access, shared)
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    with shared.database.begin() as connection:
        text = read_row(connection, access.workspace_id, runbook_id, schema=access.schema)
        if text is None:
            raise not_found()
        row = orjson.loads(text)
        proactive = row["type"] == "proactive" and row["workflow_id"] is not None
        whole = read_runbook(connection, row["workflow_id"], schema=access.schema) if proactive else None
    if whole is not None:
        return Response(to_markdown(whole), media_type=MARKDOWN)
    page = row_markdown(row["title"], row["summary"], row["steps"], severity=row["severity"], status=row["status"])
    return Response(page, media_type=MARKDOWN)


@router.get("/workspaces/{workspace}/runbooks/{runbook}/history", response_model=VersionPage)
def show_history(
    request: Request, runbook: RunbookId, page: Annotated[Page, Query()], access: Reader, shared: Shared
) -> Response:
    """List the versions of a proactive runbook, newest first, and why each was written."""
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    with shared.database.begin() as connection:
        if not has_row(connection, access.workspace_id, runbook_id, schema=access.schema):
            raise not_found()
        total = count_versions(connection, access.workspace_id, runbook_id, schema=access.schema)
        rows = list_versions(
            connection, access.workspace_id, runbook_id, schema=access.schema, limit=page.per_page, offset=page.offset
        )
    return page_answer(request, page, total=total, rows=rows)


@router.post("/workspaces/{workspace}/runbooks/{runbook}/acknowledge", response_model=OneRunbook,
             responses=documented(409))  # fmt: skip
def acknowledge_runbook(runbook: RunbookId, access: Reviewer, shared: Shared) -> Response:
    """Say that you look after it, or that you have read it; who did so first stays."""
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    with shared.database.begin() as connection:
        if not has_row(connection, access.workspace_id, runbook_id, schema=access.schema):
            raise not_found()
        if not acknowledge(
            connection, access.workspace_id, runbook_id, schema=access.schema, user_id=access.token.user_id
        ):
            raise ApiError(409, "The runbook is resolved already.")
    return _one(runbook, access, shared)


@router.post("/workspaces/{workspace}/runbooks/{runbook}/resolve", response_model=OneRunbook)
def resolve_runbook(runbook: RunbookId, access: Reviewer, shared: Shared) -> Response:
    """Say that it is over."""
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    with shared.database.begin() as connection:
        resolve(connection, access.workspace_id, runbook_id, schema=access.schema)
    return _one(runbook, access, shared)


def _one(runbook: str, access: Access, shared: State) -> Response:
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    with shared.database.begin() as connection:
        row = read_row(connection, access.workspace_id, runbook_id, schema=access.schema)
    if row is None:
        raise not_found()
    return json_answer(data=row)
