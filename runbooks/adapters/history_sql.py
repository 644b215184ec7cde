"""The SQL behind the aggregated history, and its rules.

- An attempt counts once per (execution, node run, attempt number, request fingerprint, time): the platform stores it
  with the progress callback and again with the final one.
- Deterministic replays are left out, cancelled calls too: neither says anything about the service.
- A node without attempts in the window (most connectors write none) is measured by its runs instead.
- The platform's timestamps have no zone and hold UTC.
- A percentile is the platform's own: sorted[floor(p · (n − 1))].
"""

from runbooks.adapters.folding import error_text, folded
from runbooks.adapters.history_hours import (
    ACTIVE_DAYS,
    CALLS_BY_HOUR,
    CALLS_SEEN,
    HOUR,
    OUTAGES,
    hour_of_week,
    week_bit,
)
from runbooks.adapters.history_notes import NOTED_FAILURE, NOTED_P95, NOTED_RATE, failure_kinds

IS_FAILURE = "status NOT IN ('success', 'cancelled')"

SINCE = "(CAST(:since AS timestamptz) AT TIME ZONE 'UTC')"
NOW = "(CAST(:now AS timestamptz) AT TIME ZONE 'UTC')"
RECENT = "CAST(:recent AS timestamptz)"

# Text, not JSON operators: a NUL escape anywhere in `meta` would make those fail.
IS_REPLAY = """(a.meta IS NOT NULL AND a.meta::text LIKE '%"replay_mode"%'
    AND a.meta::text ~ '"replay_mode"\\s*[:]\\s*("?true|1)')"""

# 64 bits of all that makes an attempt the same; sorting by the columns themselves takes several times as long.
ATTEMPT_KEY = """hash_record_extended(
    ROW(a.execution_id, a.execution_node_id, a.attempt_no, a.request_fingerprint, a.happened_at), 0)"""


def distinct_attempts(condition: str, *, message: str = "NULL::text") -> str:
    """SQL for the attempts of the window that count, each once; a failure wins over another report of the same.

    Reports that differ in more are told apart to the last column, so that the order of the rows decides nothing.
    """
    return f"""
        SELECT DISTINCT ON (key) * FROM (
            SELECT {ATTEMPT_KEY} AS key, a.workspace_id, a.workflow_id, a.execution_node_id, a.connector_key,
                   a.status COLLATE "C" AS status, a.status_code, a.error_code COLLATE "C" AS error_code,
                   {message} COLLATE "C" AS message, a.duration_ms, a.is_retry, a.{IS_FAILURE} AS failed,
                   a.happened_at AT TIME ZONE 'UTC' AS at
            FROM connector_call_attempts a
            WHERE a.happened_at >= {SINCE} AND a.happened_at <= {NOW} AND a.status <> 'cancelled' AND {condition}
              AND NOT {IS_REPLAY}
              AND NOT EXISTS (SELECT FROM executions e WHERE e.id = a.execution_id AND e.is_deterministic_replay)
        ) attempts
        ORDER BY key, failed DESC, status, duration_ms, status_code, error_code, is_retry, message
    """  # noqa: S608 - constants


def attempts_by_node(condition: str, *, message: str = "NULL::text") -> str:
    """SQL for the same with the key of the node that made each; empty where the platform does not tell."""
    return f"""
        SELECT a.*, coalesce(n.node_id, '') AS node_key
        FROM ({distinct_attempts(condition, message=message)}) a
        LEFT JOIN execution_nodes n ON n.id = a.execution_node_id
    """  # noqa: S608 - constants


def node_runs(condition: str) -> str:
    """SQL for the finished runs of nodes that may call something, in the same form."""
    return f"""
        SELECT e.workflow_id, n.node_id AS node_key, n.node_type AS connector_key, NULL::text AS status,
               NULL::integer AS status_code, NULL::text AS error_code,
               CASE WHEN n.status = 'failed' THEN {error_text("n.error")} END AS message,
               n.duration_ms, false AS is_retry, n.status = 'failed' AS failed,
               coalesce(n.finished_at, n.started_at, e.started_at, e.created_at) AT TIME ZONE 'UTC' AS at
        FROM executions e JOIN execution_nodes n ON n.execution_id = e.id
        WHERE coalesce(n.finished_at, n.started_at, e.started_at, e.created_at) BETWEEN {SINCE} AND {NOW}
          AND e.is_deterministic_replay IS NOT TRUE AND n.status IN ('completed', 'failed') AND {condition}
          AND n.node_type !~ '^(trigger|logic|transform)_' AND n.node_type <> ALL(CAST(:internal AS text[]))
    """  # noqa: S608 - constants


def runs(condition: str) -> str:
    """SQL for the runs of nodes that have no attempts in the window."""
    return f"""{node_runs(condition)}
          AND NOT EXISTS (
              SELECT FROM runbook_node_history h
              WHERE h.workflow_id = e.workflow_id AND h.node_key = n.node_id AND h.source = 'attempts'
                AND h.refreshed_at = CAST(:now AS timestamptz))
    """


def failure_groups(failures: str) -> str:
    """SQL that counts failures by what they say, with the hours in which they came; binds :kept and :first_week.

    Each different text is folded once, however often and wherever it came.
    """
    node, said = "workflow_id, node_key, connector_key", "status, status_code, error_code"
    return f"""
        WITH by_hour AS (
            SELECT {node}, {said}, message, hour, count(*) AS times, min(at) AS first_at, max(at) AS last_at
            FROM (SELECT {node}, {said}, left(message, 1000) AS message, at, {HOUR} AS hour FROM ({failures}) f) f
            GROUP BY {node}, {said}, message, hour
        ), texts AS MATERIALIZED (
            SELECT message AS raw, {folded("message")} AS folded
            FROM (SELECT DISTINCT message FROM by_hour WHERE message IS NOT NULL) m
        ), counted AS (
            SELECT {node}, {said}, folded AS message, {hour_of_week("hour")} AS slot, sum(times) AS times,
                   bit_or({week_bit("hour")}) AS weeks, min(first_at) AS first_at, max(last_at) AS last_at
            FROM by_hour LEFT JOIN texts ON raw = message GROUP BY {node}, {said}, folded, slot
        ), ranked AS (
            SELECT *, :kept >= dense_rank() OVER (
                PARTITION BY {node}
                ORDER BY total DESC, message COLLATE "C", error_code COLLATE "C", status_code, status
            ) AS kept
            FROM (SELECT *, sum(times) OVER (PARTITION BY {node}, {said}, message) AS total FROM counted) c
        ), kept AS (
            SELECT {node}, status, status_code, CASE WHEN kept THEN error_code END AS error_code,
                   CASE WHEN kept THEN message END AS message, slot, sum(times) AS times, bit_or(weeks) AS weeks,
                   min(first_at) AS first_at, max(last_at) AS last_at
            FROM ranked GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
        )
        SELECT {node}, {said}, message, sum(times) AS failures, min(first_at) AS first_at, max(last_at) AS last_at,
               jsonb_object_agg(slot, jsonb_build_array(times, weeks)) AS by_hour
        FROM kept GROUP BY {node}, {said}, message
    """  # noqa: S608 - constants


def insert_groups(source: str, failures: str) -> str:
    """SQL that keeps the failures of one source, counted by what they say."""
    columns = (
        "workflow_id, node_key, connector_key, status, status_code, error_code, message, failures, first_at, last_at,"
        " by_hour"
    )
    return f"""
        INSERT INTO runbook_failure_groups (source, {columns})
        SELECT '{source}', {columns} FROM ({failure_groups(failures)}) g
    """  # noqa: S608 - constants


def insert_nodes(source: str, calls: str, *, chosen: str) -> str:
    """SQL that sums up the calls of each node; the groups of the same source have to be there."""
    node = "workflow_id, node_key, connector_key"
    columns = (
        "calls", "failures", "timeouts", "retries", "recovered", "mean_ms", "p50_ms", "p95_ms", "p99_ms", "first_at",
        "last_at", "last_failure_at", "recent_calls", "recent_failures", "active_days", "outages", "calls_by_hour",
    )  # fmt: skip
    noted = {"noted_rate": NOTED_RATE, "noted_p95_ms": NOTED_P95, "noted_failure": NOTED_FAILURE}
    written = (*columns, *noted, "refreshed_at")
    return f"""
        INSERT INTO runbook_node_history AS h ({node}, source, {", ".join(written)})
        WITH counted AS (
            SELECT {node}, count(*) AS calls, count(*) FILTER (WHERE failed) AS failures,
                   count(*) FILTER (WHERE status = 'timeout') AS timeouts, count(*) FILTER (WHERE is_retry) AS retries,
                   count(*) FILTER (WHERE is_retry AND NOT failed) AS recovered,
                   avg(duration_ms)::double precision AS mean_ms,
                   array_agg(duration_ms ORDER BY duration_ms) FILTER (WHERE duration_ms IS NOT NULL) AS ms,
                   min(at) AS first_at, max(at) AS last_at, max(at) FILTER (WHERE failed) AS last_failure_at,
                   count(*) FILTER (WHERE at >= {RECENT}) AS recent_calls,
                   count(*) FILTER (WHERE at >= {RECENT} AND failed) AS recent_failures,
                   {ACTIVE_DAYS} AS active_days, {CALLS_SEEN} AS seen
            FROM ({calls}) c GROUP BY {node}
        ), figures AS (
            SELECT *, {_percentile("0.5")} AS p50_ms, {_percentile("0.95")} AS p95_ms, {_percentile("0.99")} AS p99_ms,
                   {OUTAGES} AS outages, {CALLS_BY_HOUR} AS calls_by_hour
            FROM counted
        ), {failure_kinds(source, chosen=chosen)}
        SELECT f.workflow_id, f.node_key, f.connector_key, '{source}', {", ".join(f"f.{name}" for name in columns)},
               {", ".join(noted.values())},
               CAST(:now AS timestamptz)
        FROM figures f
        LEFT JOIN (SELECT * FROM runbook_node_history WHERE source = '{source}') o USING ({node})
        LEFT JOIN commonest t USING ({node})
        LEFT JOIN kinds k ON (k.workflow_id, k.node_key, k.connector_key) = (f.workflow_id, f.node_key, f.connector_key)
            AND k.kind = o.noted_failure
        ON CONFLICT ({node}, source) DO UPDATE SET {", ".join(f"{name} = EXCLUDED.{name}" for name in written)}
    """  # noqa: S608 - constants


def insert_connectors(chosen: str) -> str:
    """SQL that sums up each connector of the workspaces, day by day, no day twice.

    A day counts from its attempts while they are all there, else from the platform's rollup: that one has no today,
    and counts cancelled calls, replays and repeated reports like any other call.
    """
    connector, in_window = "workspace_id, connector_key", f"a.happened_at >= {SINCE}::date + 1 AND {chosen}"
    figures = ("calls", "failures", "timeouts", "retries")
    taken = (f"CASE WHEN complete THEN c.{name} ELSE r.{name} END AS {name}" for name in figures)
    return f"""
        INSERT INTO runbook_connector_history
            ({connector}, {", ".join(figures)}, recent_calls, recent_failures, refreshed_at)
        WITH stored AS (
            SELECT {connector}, happened_at::date AS day, count(*) AS rows FROM connector_call_attempts a
            WHERE {in_window} AND a.happened_at <= {NOW} GROUP BY {connector}, day
        ), counted AS (
            SELECT {connector}, (at AT TIME ZONE 'UTC')::date AS day, count(*) AS calls,
                   count(*) FILTER (WHERE failed) AS failures, count(*) FILTER (WHERE status = 'timeout') AS timeouts,
                   count(*) FILTER (WHERE is_retry) AS retries
            FROM ({distinct_attempts(in_window)}) a GROUP BY {connector}, day
        ), rolled_up AS (
            SELECT {connector}, day, sum(total_calls) AS calls, sum(failure_calls) AS failures,
                   sum(timeout_calls) AS timeouts, sum(retry_calls) AS retries
            FROM connector_metrics_daily WHERE day > {SINCE}::date AND day <= {NOW}::date AND {chosen}
            GROUP BY {connector}, day
        ), days AS (
            SELECT {connector}, day >= ({RECENT} AT TIME ZONE 'UTC')::date AS recent,
                   {", ".join(taken)}
            FROM rolled_up r FULL JOIN stored s USING ({connector}, day) LEFT JOIN counted c USING ({connector}, day),
                 LATERAL (SELECT coalesce(s.rows, 0) >= coalesce(r.calls, 0) AS complete) attempts
        )
        SELECT {connector}, {", ".join(f"sum({name})" for name in figures)},
               coalesce(sum(calls) FILTER (WHERE recent), 0), coalesce(sum(failures) FILTER (WHERE recent), 0),
               CAST(:now AS timestamptz)
        FROM days GROUP BY {connector} HAVING sum(calls) > 0
    """  # noqa: S608 - constants


def _percentile(share: str) -> str:
    return f"ms[floor({share}::double precision * (cardinality(ms) - 1))::integer + 1]"
