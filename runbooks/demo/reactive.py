"""Runbooks of failed executions, as the platform itself writes them, and what people did with them."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from random import Random

from runbooks.demo.engine import Recording
from runbooks.demo.rows import ReactiveRunbook, new_id

FRESH = timedelta(days=2)
"""How long the people of the demo take to look at a row at most."""
STEPS = (
    ("Inspect failed node", "Open execution node {node} and inspect input/output payload and connector response."),
    ("Verify credentials and policy", "Confirm credential validity and workspace policy restrictions for this node."),
    (
        "Run deterministic replay",
        "Use deterministic replay to verify whether this is data-dependent or deterministic failure.",
    ),
    ("Apply mitigation", "Add retry/backoff, fallback path, or schema guard based on the failure pattern."),
)
"""The platform's own words: they are the same in every row."""


def reactive_runbooks(
    recordings: Iterable[Recording], *, now: datetime, people: list[str], random: Random
) -> Iterator[ReactiveRunbook]:
    """One row a failed execution; the older ones are done with, a few of them open again after a second failure."""
    for recording in recordings:
        execution = recording.execution
        if execution.status != "failed" or execution.finished_at is None:
            continue
        message = json.loads(execution.error or "{}").get("message", "")
        failed = next((node for node in reversed(recording.nodes) if node.status == "failed"), None)
        seen, solved, status = _handled(execution.finished_at, now, random)
        if execution.is_deterministic_replay:  # whoever replays a failure is there, and leaves no row of it open
            seen = solved = execution.finished_at
            status = "resolved"
        yield ReactiveRunbook(
            id=new_id(random),
            workspace_id=execution.workspace_id,
            workflow_id=execution.workflow_id,
            execution_id=execution.id,
            severity=severity_of(message),
            title="Execution Failure Runbook",
            summary=message,
            steps=_steps(failed.node_id if failed else "unknown"),
            tags=json.dumps(["auto-generated", "execution-failure", failed.node_type if failed else "unknown-node"]),
            status=status,
            acknowledged_by=random.choice(people) if seen else None,
            acknowledged_at=seen,
            resolved_at=solved,
            created_at=execution.finished_at,
            updated_at=solved or seen or execution.finished_at,
        )


def severity_of(message: str) -> str:
    """The platform's judgement: by words in the message."""
    lower = message.lower()
    if "authentication" in lower or "permission" in lower:
        return "critical"
    return "high" if "timeout" in lower or "rate" in lower else "medium"


def _handled(failed_at: datetime, now: datetime, random: Random) -> tuple[datetime | None, datetime | None, str]:
    """When somebody saw it, when it was solved, and how it stands."""
    seen = failed_at + timedelta(minutes=random.lognormvariate(3.5, 0.8))
    solved = seen + timedelta(minutes=random.lognormvariate(4.0, 0.9))
    if solved > now or (now - failed_at < FRESH and random.random() < 0.5):
        return (seen, None, "acknowledged") if seen < now and random.random() < 0.4 else (None, None, "open")
    return seen, solved, "open" if random.random() < 0.03 else "resolved"


def _steps(node_key: str) -> str:
    return json.dumps([{"title": title, "description": text.format(node=node_key)} for title, text in STEPS])
