"""What webhooks told and nobody has acted on yet. A row a subject: a burst about one workflow is one thing to do.

`taken_at` is a lease: who takes an event and dies leaves it to others. What is told while somebody acts on it raises
`tellings`, so that it is done once more afterwards, with what is true then.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sqlalchemy import Connection, text

from runbooks.core.signature import TOLERANCE_S

LEASE = timedelta(minutes=2)
"""Renewed while somebody acts on it."""
MOST_FAILURES = 6
BACK_OFF_S = 5
"""After the first failure; doubled with each."""


class Kind(StrEnum):
    """What happened."""

    PUBLISHED = "workflow-published"
    FAILED = "execution-failed"


@dataclass(frozen=True)
class Event:
    """One thing to do, taken by the caller."""

    kind: Kind
    subject: str
    """The workflow's or the execution's id."""
    payload: Mapping[str, str]
    tellings: int
    failures: int


def accept_signature(connection: Connection, signature: str) -> bool:
    """Remember the signature of a delivery; False when it was delivered before."""
    query = "INSERT INTO runbook_webhook_receipts (signature) VALUES (:signature) ON CONFLICT DO NOTHING"
    return connection.execute(text(query), {"signature": signature}).rowcount == 1


def tell(
    connection: Connection,
    kind: Kind,
    subject: str,
    payload: Mapping[str, str],
    *,
    quiet: timedelta = timedelta(),
    longest: timedelta = timedelta(),
) -> None:
    """Note that something happened. It is due when `quiet` has passed without more, at the latest after `longest`."""
    query = """
        INSERT INTO runbook_pending_events AS e (kind, subject, payload, due_at)
        VALUES (:kind, :subject, CAST(:payload AS jsonb), clock_timestamp() + CAST(:quiet AS interval))
        ON CONFLICT (kind, subject) DO UPDATE SET
            payload = EXCLUDED.payload, tellings = e.tellings + 1, failures = 0,
            first_at = CASE WHEN e.taken_at IS NULL THEN e.first_at ELSE clock_timestamp() END,
            due_at = least(clock_timestamp() + CAST(:quiet AS interval),
                CASE WHEN e.taken_at IS NULL THEN e.first_at ELSE clock_timestamp() END + CAST(:longest AS interval))
    """
    values = {"kind": kind.value, "subject": subject, "payload": json.dumps(dict(payload))}
    connection.execute(text(query), {**values, "quiet": quiet, "longest": longest})


def take_due(connection: Connection, kind: Kind, *, limit: int) -> list[Event]:
    """Take what is due and not taken by anybody alive, oldest first."""
    query = """
        UPDATE runbook_pending_events e SET taken_at = clock_timestamp()
        FROM (
            SELECT kind, subject FROM runbook_pending_events
            WHERE kind = :kind AND due_at <= clock_timestamp()
              AND (taken_at IS NULL OR taken_at < clock_timestamp() - CAST(:lease AS interval))
            ORDER BY due_at LIMIT :limit FOR UPDATE SKIP LOCKED
        ) due
        WHERE e.kind = due.kind AND e.subject = due.subject
        RETURNING e.kind, e.subject, e.payload, e.tellings, e.failures
    """
    rows = connection.execute(text(query), {"kind": kind.value, "limit": limit, "lease": LEASE})
    return [Event(Kind(row[0]), row[1], row[2], row[3], row[4]) for row in rows]


def renew(connection: Connection, event: Event) -> None:
    """Keep an event that is still being acted on."""
    query = (
        "UPDATE runbook_pending_events SET taken_at = clock_timestamp()"
        " WHERE kind = :kind AND subject = :subject AND taken_at IS NOT NULL"
    )
    connection.execute(text(query), _key(event))


def done(connection: Connection, event: Event) -> None:
    """Forget an event that was acted on; one that was told again meanwhile stays, to be taken once more."""
    query = "DELETE FROM runbook_pending_events WHERE kind = :kind AND subject = :subject AND tellings = :tellings"
    if not connection.execute(text(query), {**_key(event), "tellings": event.tellings}).rowcount:
        _release(connection, event)


def failed(connection: Connection, event: Event) -> bool:
    """Try it again later; False when it has failed often enough to be given up."""
    if event.failures + 1 >= MOST_FAILURES:
        done(connection, event)
        return False
    query = """
        UPDATE runbook_pending_events SET taken_at = NULL, failures = failures + 1,
            due_at = clock_timestamp() + make_interval(secs => CAST(:wait AS integer))
        WHERE kind = :kind AND subject = :subject
    """
    connection.execute(text(query), {**_key(event), "wait": BACK_OFF_S * 2**event.failures})
    return True


def forget_old_signatures(connection: Connection) -> None:
    """Forget those whose time makes them refused anyway."""
    query = "DELETE FROM runbook_webhook_receipts WHERE received_at < now() - make_interval(secs => :seconds)"
    connection.execute(text(query), {"seconds": 3 * TOLERANCE_S})


def _release(connection: Connection, event: Event) -> None:
    query = "UPDATE runbook_pending_events SET taken_at = NULL WHERE kind = :kind AND subject = :subject"
    connection.execute(text(query), _key(event))


def _key(event: Event) -> dict[str, str]:
    return {"kind": event.kind.value, "subject": event.subject}
