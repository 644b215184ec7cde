"""Joining a batch with what history says: reading the aggregated rows and the workspaces' contacts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from sqlalchemy import Connection, text

from runbooks.adapters.credentials import read_credentials
from runbooks.adapters.platform import read_workspace_settings
from runbooks.adapters.schema import HostSchema
from runbooks.core.batch import Batch, with_history
from runbooks.core.credential import CredentialFacts
from runbooks.core.escalation import escalation_from
from runbooks.core.reliability import Reliability
from runbooks.core.reliability_figures import (
    CONNECTOR_COLUMNS,
    GROUP_COLUMNS,
    NODE_COLUMNS,
    TIMEOUT_COLUMN,
    WANTED_COLUMNS,
    Classify,
    History,
    reliabilities,
)


def add_history(
    connection: Connection,
    batch: Batch,
    *,
    schema: HostSchema,
    classify: Classify,
    window_days: int,
    include_historical_data: bool,
    now: datetime | None = None,
) -> Batch:
    """Give each integration its reliability, as last aggregated, and each workflow its workspace's contacts.

    Each node's credential comes with the history, measured against `now`: the database's clock when it is not given.
    """
    workspaces = sorted({facts.workflow.workspace_id for facts in batch.facts})
    settings = read_workspace_settings(connection, workspaces, schema=schema)
    found: Mapping[tuple[str, str], Reliability] = {}
    credentials: Mapping[tuple[str, str], CredentialFacts] = {}
    if include_historical_data:
        workflows = [facts.workflow.id for facts in batch.facts]
        history = read_history(connection, workflows, workspaces, schema=schema)
        found = reliabilities(_wanted(batch), history, classify=classify, window_days=window_days)
        credentials = read_credentials(connection, workflows, schema=schema, now=now)
    return with_history(
        batch,
        reliability=found,
        credentials=credentials,
        escalation={workspace: escalation_from(values) for workspace, values in settings.items()},
        history_included=include_historical_data,
    )


def read_history(
    connection: Connection, workflow_ids: Sequence[str], workspace_ids: Sequence[str], *, schema: HostSchema
) -> History:
    """The aggregated rows of some workflows and of their workspaces' connectors."""
    of_workflows = f"workflow_id = ANY(CAST(:workflows AS {schema.id_type}[]))"
    of_workspaces = f"workspace_id = ANY(CAST(:workspaces AS {schema.id_type}[]))"
    given = {"workflows": list(workflow_ids), "workspaces": list(workspace_ids)}

    def frame(table: str, columns: Sequence[str], condition: str) -> pd.DataFrame:
        expressions = ", ".join(_SPELT.get(name, name) for name in columns)
        rows = connection.execute(text(f"SELECT {expressions} FROM {table} WHERE {condition}"), given)  # noqa: S608 - constants
        return pd.DataFrame(rows.fetchall(), columns=list(columns), dtype=object)

    return History(
        nodes=frame("runbook_node_history", NODE_COLUMNS, of_workflows),
        connectors=frame("runbook_connector_history", CONNECTOR_COLUMNS, of_workspaces),
        groups=frame("runbook_failure_groups", GROUP_COLUMNS, of_workflows),
    )


_SPELT: Mapping[str, str] = {
    "workflow_id": "workflow_id::text",
    "workspace_id": "workspace_id::text",
    "history_key": "node_key",
    "count": "failures",
}


def _wanted(batch: Batch) -> pd.DataFrame:
    rows: list[tuple[Any, ...]] = [
        (
            facts.workflow.id,
            facts.workflow.workspace_id,
            integration.node_key,
            integration.node_type,
            integration.service,
            integration.timeout_s,
        )
        for facts in batch.facts
        for integration in facts.integrations
    ]
    return pd.DataFrame(rows, columns=[*WANTED_COLUMNS, TIMEOUT_COLUMN], dtype=object)
