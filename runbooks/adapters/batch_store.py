"""Batches that were handed to a model's server and are not collected yet, so that no run pays for them twice."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

COLUMNS = "id, input_file, batch, requests, made_from, submitted_at"


@dataclass(frozen=True)
class OpenBatch:
    """A batch that is under way, or about to be."""

    id: int
    input_file: str
    batch: str | None
    """The server's id; None when whoever wanted to start it did not live to learn it."""
    requests: int
    made_from: Mapping[str, str]
    """Fingerprints by workflow id: what the answers will be answers to."""
    submitted_at: datetime


def add_batch(
    connection: Connection, *, input_file: str, server: str, model: str, requests: int, made_from: Mapping[str, str]
) -> int:
    """Note a batch before it is started."""
    query = """
        INSERT INTO runbook_batches (input_file, server, model, requests, made_from)
        VALUES (:input_file, :server, :model, :requests, CAST(:made_from AS jsonb)) RETURNING id
    """
    values = {"input_file": input_file, "server": server, "model": model, "requests": requests}
    return int(connection.execute(text(query), {**values, "made_from": json.dumps(dict(made_from))}).scalar_one())


def note_started(connection: Connection, row: int, batch: str) -> None:
    """Note the server's id."""
    connection.execute(text("UPDATE runbook_batches SET batch = :batch WHERE id = :id"), {"batch": batch, "id": row})


def note_ended(connection: Connection, row: int, outcome: str) -> bool:
    """Note what became of it; False when another process was faster."""
    query = "UPDATE runbook_batches SET outcome = :outcome, ended_at = now() WHERE id = :id AND ended_at IS NULL"
    return connection.execute(text(query), {"outcome": outcome, "id": row}).rowcount == 1


def read_open(connection: Connection, *, server: str, model: str) -> list[OpenBatch]:
    """Batches of this model that nobody collected yet, oldest first."""
    query = f"""
        SELECT {COLUMNS} FROM runbook_batches
        WHERE ended_at IS NULL AND server = :server AND model = :model ORDER BY id
    """  # noqa: S608 - constants
    return [OpenBatch(*row) for row in connection.execute(text(query), {"server": server, "model": model})]
