"""The integrations that fail most, out of the stored runbooks and the aggregated history."""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class RiskyIntegration:
    """One node with what its history says; figures are the node's own."""

    workflow_id: str
    workflow_name: str
    node_key: str
    service: str
    severity: str
    likeliest: str
    """The first scenario of its section."""
    calls: int
    failures: int

    @property
    def failure_rate(self) -> float:
        """Failures per call, 0 to 1."""
        return self.failures / self.calls if self.calls else 0.0


def riskiest_integrations(connection: Connection, *, limit: int = 5) -> list[RiskyIntegration]:
    """The nodes with most failures in the window that have a section in a proactive runbook, worst first."""
    query = """
        SELECT h.workflow_id::text, w.name, h.node_key, s.section ->> 'integration', s.section ->> 'severity',
               s.section #>> '{failure_scenarios,0,scenario}', sum(h.calls)::bigint, sum(h.failures)::bigint
        FROM (
            SELECT DISTINCT ON (workflow_id, node_key) workflow_id, node_key, calls, failures
            FROM runbook_node_history WHERE calls > 0 AND node_key <> ''
            ORDER BY workflow_id, node_key, (source = 'attempts') DESC
        ) h
        JOIN workflows w ON w.id = h.workflow_id AND w.is_active AND w.deleted_at IS NULL
        JOIN execution_runbooks r ON r.workflow_id = w.id AND r.type = 'proactive',
        LATERAL (
            SELECT section FROM jsonb_array_elements(r.sections) AS section
            WHERE section ->> 'node_key' = h.node_key LIMIT 1
        ) s
        WHERE h.failures > 0
        GROUP BY 1, 2, 3, 4, 5, 6
        ORDER BY 8 DESC, 1, 3 LIMIT :limit
    """
    return [RiskyIntegration(*row) for row in connection.execute(text(query), {"limit": limit})]
