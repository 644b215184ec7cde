"""Rows of the platform's history tables; the fields are the columns, in order."""

import json
from datetime import date, datetime
from random import Random
from typing import NamedTuple
from uuid import UUID


class Execution(NamedTuple):
    """A row of `executions`."""

    id: str
    workflow_id: str
    workspace_id: str
    status: str
    mode: str
    started_at: datetime
    finished_at: datetime | None
    duration_ms: int | None
    error: str | None
    attempt: int
    max_attempts: int
    parent_execution_id: str | None
    replay_of_execution_id: str | None
    is_deterministic_replay: bool
    created_at: datetime
    updated_at: datetime


class ExecutionNode(NamedTuple):
    """A row of `execution_nodes`."""

    id: str
    execution_id: str
    node_id: str
    node_type: str
    node_name: str
    status: str
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None
    error: str | None
    sequence: int
    created_at: datetime
    updated_at: datetime


class Attempt(NamedTuple):
    """A row of `connector_call_attempts`."""

    id: str
    execution_id: str
    execution_node_id: str | None
    workspace_id: str
    workflow_id: str
    connector_key: str
    connector_operation: str
    provider: str
    attempt_no: int
    is_retry: bool
    status: str
    status_code: int | None
    duration_ms: int | None
    request_fingerprint: str
    error_code: str | None
    error_message: str | None
    meta: str | None
    happened_at: datetime
    created_at: datetime
    updated_at: datetime


class DailyMetric(NamedTuple):
    """A row of `connector_metrics_daily`."""

    id: str
    workspace_id: str
    connector_key: str
    connector_operation: str
    day: date
    total_calls: int
    success_calls: int
    failure_calls: int
    retry_calls: int
    timeout_calls: int
    p50_latency_ms: int | None
    p95_latency_ms: int | None
    p99_latency_ms: int | None
    created_at: datetime
    updated_at: datetime


class ReactiveRunbook(NamedTuple):
    """A row of `execution_runbooks` as the platform itself writes it."""

    id: str
    workspace_id: str
    workflow_id: str
    execution_id: str
    severity: str
    title: str
    summary: str
    steps: str
    tags: str
    status: str
    acknowledged_by: str | None
    acknowledged_at: datetime | None
    resolved_at: datetime | None
    created_at: datetime
    updated_at: datetime


def new_id(random: Random) -> str:
    """An id that the same seed gives again."""
    return str(UUID(int=random.getrandbits(128), version=4))


def error_json(message: str | None) -> str | None:
    """An error as the platform keeps it."""
    return None if message is None else json.dumps({"message": message})
