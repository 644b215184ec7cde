"""Collecting a batch: its answers are kept like those of a run that was interrupted before it stored them."""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from runbooks.adapters.batch_plan import half_price
from runbooks.adapters.batch_store import OpenBatch, note_ended
from runbooks.adapters.database import Database
from runbooks.adapters.llm import Reply, reply_from, tokens_of
from runbooks.adapters.store import Draft, read_drafts, save_draft
from runbooks.core.batch_lines import Answers
from runbooks.core.redaction import redact
from runbooks.core.spending import NO_TOKENS, Prices
from runbooks.errors import LLMMisbehaved


def keep_answers(database: Database, batch: OpenBatch, answers: Answers, *, prices: Prices | None, outcome: str) -> int:
    """Keep the answers of a batch, once; returns for how many workflows there are some."""
    drafts = {
        batch.made_from[workflow_id]: (workflow_id, _draft(bodies, half_price(prices)))
        for workflow_id, bodies in answers.bodies.items()
        if workflow_id in batch.made_from
    }
    with database.begin() as connection:
        if not note_ended(connection, batch.id, outcome):
            return 0
        known = read_drafts(connection, list(drafts))
        there = _still_there(connection, database, [workflow_id for workflow_id, _ in drafts.values()])
        wanted = {print_: one for print_, one in drafts.items() if print_ not in known and one[0] in there}
        for made_from, (workflow_id, draft) in wanted.items():
            save_draft(connection, workflow_id, made_from, draft, schema=database.schema)
    return len(wanted)


def _still_there(connection: Connection, database: Database, workflow_ids: list[str]) -> set[str]:
    query = f"SELECT id::text FROM workflows WHERE id = ANY(CAST(:ids AS {database.schema.id_type}[]))"  # noqa: S608 - a type name read from the catalogue
    return set(connection.execute(text(query), {"ids": workflow_ids}).scalars())


def _draft(bodies: Mapping[str, dict[str, Any]], prices: Prices | None) -> Draft:
    replies = {name: _reply(body) for name, body in bodies.items()}
    tokens = sum((tokens_of(body) for body in bodies.values()), NO_TOKENS)
    # A model may make up what looks like a secret; nothing that does is ever stored.
    kept = json.dumps({name: [redact(reply.text), reply.cut] for name, reply in replies.items()})
    return Draft(kept, tokens, prices.cost(tokens) if prices else None)


def _reply(body: dict[str, Any]) -> Reply:
    """An answer without text is kept as such: it was paid for, and would be the same another time."""
    try:
        return reply_from(body)
    except LLMMisbehaved:
        return Reply("")
