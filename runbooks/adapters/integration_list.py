"""The services that a workspace depends on, out of the stored runbooks and the aggregated history."""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.flags import Figures, Flag, flags_of
from runbooks.core.trend import trend
from runbooks.core.workflow import Frozen

NODES_SHOWN = 20


class FlaggedNode(Frozen):
    """A node whose own history shows something wrong."""

    workflow_id: str
    node_key: str
    flags: tuple[Flag, ...]
    calls: int
    failures: int


class ServiceUse(Frozen):
    """One service, and how much of the workspace hangs on it."""

    service: str
    kind: str
    workflows: int
    """Active workflows with a node that calls it."""
    nodes: int
    calls: int
    """In the window, as far as history names the node."""
    failures: int
    failure_rate: float | None
    flags: tuple[Flag, ...]
    """All that hold for at least one of its nodes, worst first."""
    flagged_nodes: tuple[FlaggedNode, ...]


def list_services(
    connection: Connection, workspace_id: str, *, schema: HostSchema, window_days: int
) -> list[ServiceUse]:
    """The services of the workspace, those that most workflows depend on first."""
    query = f"""
        SELECT s.section ->> 'integration' AS service, coalesce(s.section ->> 'kind', '') AS kind,
               w.id::text AS workflow_id, s.section ->> 'node_key' AS node_key,
               h.calls, h.failures, h.recent_calls, h.recent_failures, h.p95_ms, h.outages, h.active_days
        FROM execution_runbooks r
        JOIN workflows w ON w.id = r.workflow_id AND w.is_active AND w.deleted_at IS NULL
        CROSS JOIN LATERAL (SELECT section FROM jsonb_array_elements(r.sections) AS section) s
        LEFT JOIN LATERAL (
            SELECT * FROM runbook_node_history h
            WHERE h.workflow_id = w.id AND h.node_key = s.section ->> 'node_key' AND h.calls > 0
            ORDER BY (h.source = 'attempts') DESC LIMIT 1
        ) h ON true
        WHERE r.type = 'proactive' AND r.workspace_id = CAST(:workspace_id AS {schema.id_type})
        ORDER BY 1, 2, 3, 4
    """  # noqa: S608 - a type name read from the catalogue
    found: dict[tuple[str, str], list[RowMapping]] = {}
    for row in connection.execute(text(query), {"workspace_id": workspace_id}).mappings():
        found.setdefault((row["service"], row["kind"]), []).append(row)
    uses = [_use(service, kind, rows, window_days) for (service, kind), rows in found.items()]
    return sorted(uses, key=lambda use: (-use.workflows, -use.failures, use.service))


def _use(service: str, kind: str, rows: Sequence[RowMapping], window_days: int) -> ServiceUse:
    nodes = [_node(row, window_days) for row in rows if row["calls"]]
    flagged = sorted((node for node in nodes if node.flags), key=lambda node: -node.failures)
    calls, failures = sum(node.calls for node in nodes), sum(node.failures for node in nodes)
    held = {flag for node in flagged for flag in node.flags}
    return ServiceUse(
        service=service,
        kind=kind,
        workflows=len({row["workflow_id"] for row in rows}),
        nodes=len(rows),
        calls=calls,
        failures=failures,
        failure_rate=round(failures / calls, 4) if calls else None,
        flags=tuple(flag for flag in Flag if flag in held),
        flagged_nodes=tuple(flagged[:NODES_SHOWN]),
    )


def _node(row: RowMapping, window_days: int) -> FlaggedNode:
    calls, failures = row["calls"], row["failures"]
    recent_calls, recent_failures = row["recent_calls"], row["recent_failures"]
    figures = Figures(
        calls=calls,
        failures=failures,
        recent_calls=recent_calls,
        recent_failures=recent_failures,
        trend=trend(recent_calls, recent_failures, calls - recent_calls, failures - recent_failures),
        window_days=window_days,
        p95_ms=row["p95_ms"],
        outages=row["outages"] or 0,
        active_days=row["active_days"],
    )
    return FlaggedNode(
        workflow_id=row["workflow_id"],
        node_key=row["node_key"],
        flags=flags_of(figures),
        calls=calls,
        failures=failures,
    )
