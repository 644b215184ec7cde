"""What is noted of a node's history to tell when it has changed enough for a new runbook.

A note stays as it is until the history clearly says something else, so that figures that move a little every night,
or lie at a boundary, change nothing:

- The failure rate is noted once there are 20 calls or 3 failures, and anew when it has at least doubled or halved
  and the old one lies outside the 95% interval of the new (Wilson). Below 1% all rates are the same.
- The 95th percentile is noted once there are 50 calls, and anew when it has at least doubled or halved, the larger of
  both being a second or more.
- The commonest failure is noted once it came 3 times, and anew when another comes half as often again.
"""

from runbooks.core.proportion import NORMAL

ENOUGH_CALLS = 20
ENOUGH_FAILURES = 3
ENOUGH_CALLS_FOR_P95 = 50
LOWEST_RATE = 0.01
CLEARLY_MORE = 1.5

# In these, `f` is the node's new figures, `o` its old row, `t` its commonest failure, `k` the count of the noted one.
_RATE = f"greatest(f.failures::double precision / f.calls, {LOWEST_RATE})"
_MIDDLE = f"(f.failures + {NORMAL**2 / 2}) / (f.calls + {NORMAL**2})"
_HALF_WIDTH = (
    f"{NORMAL} * sqrt(f.failures::double precision * (f.calls - f.failures) / f.calls + {NORMAL**2 / 4})"
    f" / (f.calls + {NORMAL**2})"
)

NOTED_RATE = f"""CASE
    WHEN o.noted_rate IS NULL THEN
        CASE WHEN f.calls >= {ENOUGH_CALLS} OR f.failures >= {ENOUGH_FAILURES} THEN {_RATE} END
    WHEN greatest({_RATE} / o.noted_rate, o.noted_rate / {_RATE}) >= 2 AND abs(o.noted_rate - {_MIDDLE}) > {_HALF_WIDTH}
        THEN {_RATE}
    ELSE o.noted_rate END"""

NOTED_P95 = f"""CASE
    WHEN f.p95_ms IS NULL OR f.calls < {ENOUGH_CALLS_FOR_P95} THEN o.noted_p95_ms
    WHEN o.noted_p95_ms IS NULL THEN f.p95_ms
    WHEN greatest(f.p95_ms, o.noted_p95_ms) >= 1000
        AND (f.p95_ms >= 2 * o.noted_p95_ms OR 2 * f.p95_ms <= o.noted_p95_ms) THEN f.p95_ms
    ELSE o.noted_p95_ms END"""

NOTED_FAILURE = f"""CASE
    WHEN coalesce(t.times, 0) < {ENOUGH_FAILURES} THEN o.noted_failure
    WHEN o.noted_failure IS NULL OR t.times >= {CLEARLY_MORE} * coalesce(k.times, 0) THEN t.kind
    ELSE o.noted_failure END"""

# Coarser than the groups: a 502 instead of a 503 makes no other runbook.
_KIND = """CASE
    WHEN status IN ('timeout', 'network_error') THEN status
    WHEN status_code >= 500 THEN '5xx'
    ELSE coalesce(status_code::text, error_code, md5(left(message, 80)), status, '') END"""


def failure_kinds(source: str, *, chosen: str) -> str:
    """SQL of two named queries: `kinds`, the failures of each node by kind, and `commonest`, the first of each node."""
    node = "workflow_id, node_key, connector_key"
    return f"""kinds AS (
            SELECT {node}, {_KIND} AS kind, sum(failures) AS times FROM runbook_failure_groups
            WHERE source = '{source}' AND {chosen} GROUP BY {node}, kind
        ), commonest AS (
            SELECT DISTINCT ON ({node}) * FROM kinds ORDER BY {node}, times DESC, kind COLLATE "C"
        )"""  # noqa: S608 - constants
