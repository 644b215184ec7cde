"""Who asks, and whether they may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Path, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from app.api.errors import ApiError, not_found
from app.api.state import Shared
from runbooks.adapters.database import fits
from runbooks.adapters.schema import HostSchema
from runbooks.adapters.tokens import Token, find_token, workspace_exists
from runbooks.core.scopes import Scope

bearer = HTTPBearer(auto_error=False, description="A token made by `runbooks token create`")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
WorkspaceId = Annotated[str, Path(description="The workspace's id", max_length=64)]


@dataclass(frozen=True)
class Access:
    """A token that may do what is asked, in this workspace."""

    token: Token
    workspace_id: str
    schema: HostSchema


def _access(scope: Scope) -> Callable[..., Access]:
    def check(request: Request, workspace: WorkspaceId, credentials: Credentials, shared: Shared) -> Access:
        database = shared.database
        schema = database.schema
        with database.begin() as connection:
            token = find_token(connection, credentials.credentials) if credentials else None
            if token is None:
                raise ApiError(401, "Unauthenticated.", headers={"WWW-Authenticate": "Bearer"})
            request.state.token_id = token.id
            wait = shared.rate_limit.wait_for(token.id)
            if wait:
                raise ApiError(429, "Too many requests.", headers={"Retry-After": str(wait)})
            if scope.value not in token.scopes:
                raise ApiError(403, f"The token lacks the scope {scope.value}.")
            workspace_id = own_id(workspace, schema.id_type)
            if token.workspace_id not in {None, workspace_id}:
                raise not_found()
            if not workspace_exists(connection, workspace_id, schema=schema):
                raise not_found()
        return Access(token, workspace_id, schema)

    return check


def own_id(value: str, id_type: str) -> str:
    """An id as the database writes it; not found when no row can have it."""
    if not fits(value, id_type):
        raise not_found()
    return value.lower() if id_type == "uuid" else value


Reader = Annotated[Access, Depends(_access(Scope.READ))]
Generator = Annotated[Access, Depends(_access(Scope.GENERATE))]
Reviewer = Annotated[Access, Depends(_access(Scope.REVIEW))]
CoverageReader = Annotated[Access, Depends(_access(Scope.COVERAGE))]
