"""Reading the workspaces' policies from the platform."""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.policy import WorkspacePolicy, policy_from


def read_policies(
    connection: Connection, workspace_ids: Sequence[str], *, schema: HostSchema
) -> dict[str, WorkspacePolicy]:
    """Policies by workspace id; a workspace without one is not in it. Older platforms have no such table."""
    if connection.execute(text("SELECT to_regclass('workspace_policies') IS NULL")).scalar_one():
        return {}
    query = f"""
        SELECT p.workspace_id::text, to_jsonb(p) FROM workspace_policies p
        WHERE p.workspace_id = ANY(CAST(:ids AS {schema.id_type}[]))
    """  # noqa: S608 - a type name read from the catalogue
    rows = connection.execute(text(query), {"ids": [one for one in workspace_ids if one]})
    return {workspace_id: policy_from(row) for workspace_id, row in rows}
