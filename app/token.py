"""`runbooks token`: who may use the HTTP API."""

import json
from datetime import UTC, datetime

from rich.table import Table

from app.console import results, say
from runbooks.adapters.database import Database, fits
from runbooks.adapters.tokens import Token, create_token, list_tokens, revoke_token, user_exists, workspace_exists
from runbooks.bootstrap import open_database
from runbooks.core.scopes import parse_scopes
from runbooks.errors import SettingsError
from runbooks.settings import load_settings

ALL = "all"


def run_create(
    *, workspace: str, scopes: str, expires_days: int | None, user: str | None, name: str, as_json: bool
) -> int:
    """Make a token and show it, this once."""
    try:
        wanted = parse_scopes(scopes)
    except ValueError as error:
        raise SettingsError(f"--scopes: {error}") from error
    database = open_database(load_settings())
    workspace_id = None if workspace == ALL else workspace.lower()
    with database.begin() as connection:
        if workspace_id is not None and not (
            database.valid_ids([workspace_id]) and workspace_exists(connection, workspace_id, schema=database.schema)
        ):
            raise SettingsError(f"there is no workspace {workspace!r}; give its id, or `all`")
        if user is not None and not user_exists(connection, user):
            raise SettingsError(f"the platform has no user {user!r}; leave --user out")
        token_id, token = create_token(
            connection,
            schema=database.schema,
            scopes=wanted,
            workspace_id=workspace_id,
            user_id=user,
            name=name,
            expires_days=expires_days,
        )
    if as_json:
        print(json.dumps({"id": token_id, "token": token}))
    else:
        print(token)
        say(f"Token {token_id}. It is shown this once; `runbooks token revoke {token_id}` ends it.")
    return 0


def run_list(*, as_json: bool) -> int:
    """List the tokens, without what would let anybody use them."""
    with _database().begin() as connection:
        tokens = list_tokens(connection)
    if as_json:
        print(json.dumps([_plain(token) for token in tokens], indent=2))
        return 0
    table = Table("id", "name", "workspace", "scopes", "user", "expires", "revoked")
    for token in tokens:
        workspace, scopes = token.workspace_id or ALL, ", ".join(token.scopes)
        ends = (_when(token.expires_at) or "never", _when(token.revoked_at) or "")
        table.add_row(token.id, token.name, workspace, scopes, token.user_id or "", *ends)
    results().print(table)
    return 0


def run_revoke(token_id: str) -> int:
    """End a token."""
    with _database().begin() as connection:
        if not (fits(token_id, "bigint") and revoke_token(connection, token_id)):
            raise SettingsError(f"there is no token {token_id!r}; see `runbooks token list`")
    print(f"Token {token_id} is revoked.")
    return 0


def _database() -> Database:
    database = open_database(load_settings())
    _ = database.schema  # tells a database that is not migrated
    return database


def _plain(token: Token) -> dict[str, str | list[str] | None]:
    return {
        "id": token.id,
        "name": token.name,
        "workspace": token.workspace_id or ALL,
        "scopes": list(token.scopes),
        "user": token.user_id,
        "created_at": _when(token.created_at),
        "expires_at": _when(token.expires_at),
        "revoked_at": _when(token.revoked_at),
    }


def _when(at: datetime | None) -> str | None:
    return at.astimezone(UTC).isoformat(timespec="seconds") if at is not None else None
