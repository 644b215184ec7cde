"""Deterministic replays: an execution run again from the answers that were recorded, without a real call."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from runbooks.demo.engine import Recording
from runbooks.demo.rows import Attempt, error_json, new_id

NO_FIXTURE = "missing deterministic replay fixture for HTTP request"
NO_FIXTURE_DETAIL = "no deterministic fixture found for HTTP request fingerprint"


def replayed(recording: Recording, at: datetime, random: Random) -> Recording:
    """The same execution replayed: with the recorded answers it ends as before, without them in an error of its own."""
    source = recording.execution
    replay_id = new_id(random)
    ids = {node.id: new_id(random) for node in recording.nodes}
    hit = random.random() < 0.5
    execution = source._replace(
        id=replay_id,
        status=source.status if hit else "failed",
        mode="manual",
        started_at=at,
        finished_at=at + timedelta(seconds=1),
        duration_ms=1000,
        error=source.error if hit else error_json(NO_FIXTURE),
        parent_execution_id=None,
        replay_of_execution_id=source.id,
        is_deterministic_replay=True,
        created_at=at,
        updated_at=at + timedelta(seconds=1),
    )
    nodes = [
        node._replace(
            id=ids[node.id],
            execution_id=replay_id,
            started_at=node.started_at and at,
            finished_at=node.finished_at and at,
            created_at=at,
            updated_at=at,
        )
        for node in recording.nodes
    ]
    return Recording(execution, nodes, list(_replayed_attempts(recording.attempts, replay_id, ids, at, hit, random)))


def _replayed_attempts(
    attempts: list[Attempt], replay_id: str, ids: dict[str, str], at: datetime, hit: bool, random: Random
) -> Iterator[Attempt]:
    for attempt in attempts:
        yield attempt._replace(
            id=new_id(random),
            execution_id=replay_id,
            execution_node_id=ids.get(attempt.execution_node_id or ""),
            status="success" if hit else "client_error",
            status_code=None,
            duration_ms=0 if hit else None,
            error_code=None if hit else "MISSING_REPLAY_FIXTURE",
            error_message=None if hit else NO_FIXTURE_DETAIL,
            meta=json.dumps({"replay_mode": True, "fixture_hit": hit}),
            happened_at=at,
            created_at=at,
            updated_at=at,
        )
