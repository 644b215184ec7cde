"""Why a runbook was written anew: what it is made from, held against what the one before was made from."""

from dataclasses import dataclass

FIRST = "first"
REQUESTED = "requested"
WHY = {
    FIRST: "it is the first",
    "definition": "the workflow's definition changed",
    "history": "what history says of its integrations changed",
    "catalogue": "the failure catalogue changed",
    "prompt": "the prompt changed",
    "model": "another model wrote it",
    "writer": "another writer wrote it",
    "contacts": "owner or contacts changed",
    REQUESTED: "somebody asked for it",
}
"""Reasons as they are stored, and as people read them."""


@dataclass(frozen=True)
class MadeOf:
    """All that can make a runbook another one."""

    fingerprint: str
    definition_hash: str
    history_signature: str
    catalogue_version: str
    prompt_version: str | None
    model: str | None
    writer: str


def reasons(before: MadeOf | None, now: MadeOf) -> tuple[str, ...]:
    """Why there is a new version; never empty, as equal ones are only written on request."""
    if before is None:
        return (FIRST,)
    differs = {
        "definition": before.definition_hash != now.definition_hash,
        "history": before.history_signature != now.history_signature,
        "catalogue": before.catalogue_version != now.catalogue_version,
        "writer": before.writer != now.writer,
        "model": before.writer == now.writer and before.model != now.model,
        "prompt": None not in (before.prompt_version, now.prompt_version)
        and before.prompt_version != now.prompt_version,
    }
    found = tuple(name for name, differs_here in differs.items() if differs_here)
    if found:
        return found
    return (REQUESTED,) if before.fingerprint == now.fingerprint else ("contacts",)


def sentence(stored: str) -> str:
    """Stored reasons as people read them."""
    return " and ".join(WHY.get(name, name) for name in stored.split(", "))
