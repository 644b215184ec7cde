"""Errors as the platform writes them: `{"message", "errors"}`, whatever went wrong, and never more than that."""

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from runbooks.errors import DatabaseUnreachable, DefinitionError, RunbookNotFound, SchemaOutdated, WorkflowNotFound

log = logging.getLogger("app.api")

RETRY_AFTER_S = "5"
NOT_FOUND = "Not found."
INVALID = "The given data was invalid."
SERVER_ERROR = "Something went wrong on our side; the request id leads to the log."


class ErrorBody(BaseModel):
    """What every answer that is no success says."""

    message: str = Field(examples=["The given data was invalid."])
    errors: dict[str, list[str]] = Field(examples=[{"rating": ["Input should be 'useful' or 'very_useful'"]}])


class ApiError(Exception):
    """An answer that is no success, decided by the API itself."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers
        self.fields = fields or {}


def not_found() -> ApiError:
    """The same for what is not there and for what belongs to somebody else."""
    return ApiError(404, NOT_FOUND)


def error_answer(
    status: int, message: str, fields: Mapping[str, list[str]] | None = None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Write it out."""
    return JSONResponse(
        {"message": message, "errors": dict(fields or {})}, status, headers=dict(headers) if headers else None
    )


def install_errors(app: FastAPI) -> None:
    """Let the application answer every error in that shape."""

    @app.exception_handler(ApiError)
    async def _(_request: Request, error: ApiError) -> JSONResponse:
        return error_answer(error.status, error.message, {k: [v] for k, v in error.fields.items()}, error.headers)

    @app.exception_handler(HTTPException)
    async def _(_request: Request, error: HTTPException) -> JSONResponse:
        message = NOT_FOUND if error.status_code == 404 else str(error.detail)
        return error_answer(error.status_code, message, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _(_request: Request, error: RequestValidationError) -> JSONResponse:
        return error_answer(422, INVALID, by_field(error.errors()))

    @app.exception_handler(WorkflowNotFound)
    @app.exception_handler(RunbookNotFound)
    async def _(_request: Request, _error: Exception) -> JSONResponse:
        return error_answer(404, NOT_FOUND)

    @app.exception_handler(DefinitionError)
    async def _(_request: Request, error: DefinitionError) -> JSONResponse:
        return error_answer(422, str(error))

    @app.exception_handler(DatabaseUnreachable)
    async def _(request: Request, error: DatabaseUnreachable) -> JSONResponse:
        # The driver's line names hosts and users: it is for the log.
        log.warning("request=%s %s", request.state.request_id, error)
        return error_answer(503, "The database cannot be reached just now.", headers={"Retry-After": RETRY_AFTER_S})

    @app.exception_handler(SchemaOutdated)
    async def _(_request: Request, _error: SchemaOutdated) -> JSONResponse:
        return error_answer(
            503, "The database is not migrated; run `runbooks migrate`.", headers={"Retry-After": RETRY_AFTER_S}
        )


def by_field(found: Any) -> dict[str, list[str]]:
    """Messages by field, without the values that were sent."""
    fields: dict[str, list[str]] = {}
    for one in found:
        place = [str(part) for part in one["loc"] if part not in {"body", "query", "path", "header"}]
        name = ".".join(place) if place and one["type"] != "json_invalid" else "body"
        fields.setdefault(name, []).append(str(one["msg"]))
    return fields


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: the answers that are no success, 503 among them."""
    meanings = {
        400: "The body is no readable JSON",
        401: "No token, or one that does not count",
        403: "The token lacks the scope",
        404: "Not there, or another workspace's",
        409: "It contradicts what is already there",
        413: "The body is too large",
        422: "A field is missing, unknown or wrong",
        429: "Too many requests; `Retry-After` says when to come back",
        503: "Not now; `Retry-After` says when to come back",
    }
    return {status: {"model": ErrorBody, "description": meanings[status]} for status in (*statuses, 503)}
