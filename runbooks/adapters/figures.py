"""What the database says of all runs, for monitoring: no names, no ids, nothing of a single workspace."""

from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Figures:
    """Sums over all stored runbooks, and the latest coverage."""

    runbooks: dict[str, int]
    """By who wrote them."""
    prompt_tokens: int
    completion_tokens: int
    calls: int
    cost_usd: float
    fallbacks: int
    pending_events: int
    active_workflows: int | None
    covered: int | None
    covered_by_ai: int | None
    stale: int | None


def read_figures(connection: Connection) -> Figures:
    """Read them."""
    writers = connection.execute(
        text("""
            SELECT writer, count(*), coalesce(sum(prompt_tokens), 0)::bigint,
                   coalesce(sum(completion_tokens), 0)::bigint, count(fallback_reason),
                   coalesce(sum(calls), 0)::bigint, coalesce(sum(cost_usd), 0)::double precision
            FROM runbook_generations GROUP BY writer
        """)
    ).all()
    pending = connection.execute(text("SELECT count(*) FROM runbook_pending_events")).scalar_one()
    latest = connection.execute(
        text("""
            SELECT report FROM runbook_coverage_snapshots WHERE workspace_id IS NULL ORDER BY taken_at DESC LIMIT 1
        """)
    ).scalar_one_or_none()
    report = latest or {}
    return Figures(
        runbooks={row[0]: row[1] for row in writers},
        prompt_tokens=sum(row[2] for row in writers),
        completion_tokens=sum(row[3] for row in writers),
        calls=sum(row[5] for row in writers),
        cost_usd=sum(row[6] for row in writers),
        fallbacks=sum(row[4] for row in writers),
        pending_events=pending,
        active_workflows=report.get("active_workflows"),
        covered=report.get("with_proactive_runbook"),
        covered_by_ai=report.get("with_ai_runbook"),
        stale=report.get("stale"),
    )
