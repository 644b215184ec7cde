"""Tokens of the HTTP API. Only hashes are stored: a token is shown once, when it is made."""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.scopes import Scope
from runbooks.migrations.catalog import read_columns

PREFIX = "rbk_"
SHAPE = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
COLUMNS = "id::text, name, workspace_id::text, scopes, user_id, created_at, expires_at, revoked_at"


@dataclass(frozen=True)
class Token:
    """What is known of a token; never the token itself."""

    id: str
    name: str
    workspace_id: str | None
    """None: all workspaces."""
    scopes: tuple[str, ...]
    user_id: str | None
    """The platform's user on whose behalf it acts."""
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None

    @property
    def person(self) -> str:
        """Who rates with this token: the user where there is one."""
        return f"user:{self.user_id}" if self.user_id else f"token:{self.id}"


def create_token(
    connection: Connection,
    *,
    schema: HostSchema,
    scopes: Sequence[Scope],
    workspace_id: str | None = None,
    user_id: str | None = None,
    name: str = "",
    expires_days: int | None = None,
) -> tuple[str, str]:
    """Make a token; returns its id and the token, which nobody can find out again."""
    token = PREFIX + secrets.token_urlsafe(32)
    query = f"""
        INSERT INTO runbook_tokens (token_hash, name, workspace_id, scopes, user_id, expires_at)
        VALUES (:hash, :name, CAST(:workspace_id AS {schema.id_type}), :scopes, :user_id,
                now() + make_interval(days => CAST(:days AS integer)))
        RETURNING id::text
    """  # noqa: S608 - a type name read from the catalogue
    values = {
        "hash": token_hash(token),
        "name": name,
        "workspace_id": workspace_id,
        "scopes": [scope.value for scope in scopes],
        "user_id": user_id,
        "days": expires_days,
    }
    return connection.execute(text(query), values).scalar_one(), token


def find_token(connection: Connection, token: str) -> Token | None:
    """The token, if it is one of ours that still counts."""
    if not SHAPE.fullmatch(token):
        return None
    query = f"""
        SELECT {COLUMNS} FROM runbook_tokens
        WHERE token_hash = :hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
    """  # noqa: S608 - constants
    row = connection.execute(text(query), {"hash": token_hash(token)}).one_or_none()
    return _token(row) if row is not None else None


def list_tokens(connection: Connection) -> list[Token]:
    """All tokens ever made, newest last."""
    rows = connection.execute(text(f"SELECT {COLUMNS} FROM runbook_tokens ORDER BY runbook_tokens.id"))  # noqa: S608 - constants
    return [_token(row) for row in rows]


def revoke_token(connection: Connection, token_id: str) -> bool:
    """Let the token count no more, from the next request on; False when there is no such token."""
    query = "UPDATE runbook_tokens SET revoked_at = coalesce(revoked_at, now()) WHERE id = CAST(:id AS bigint)"
    return connection.execute(text(query), {"id": token_id}).rowcount == 1


def workspace_exists(connection: Connection, workspace_id: str, *, schema: HostSchema) -> bool:
    """Whether there is such a workspace; the id fits its type."""
    query = f"SELECT EXISTS (SELECT FROM workspaces WHERE id = CAST(:id AS {schema.id_type}))"  # noqa: S608 - as above
    return bool(connection.execute(text(query), {"id": workspace_id}).scalar_one())


def user_exists(connection: Connection, user_id: str) -> bool | None:
    """Whether the host has such a user; None when it has no users at all."""
    if "id" not in read_columns(connection, "users"):
        return None
    query = "SELECT EXISTS (SELECT FROM users WHERE id::text = :id)"
    return bool(connection.execute(text(query), {"id": user_id}).scalar_one())


def _token(row: Row[*tuple[Any, ...]]) -> Token:
    found = Token(*row)
    return replace(found, scopes=tuple(found.scopes))


def token_hash(token: str) -> str:
    """A fast hash is enough: nobody can try 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()
