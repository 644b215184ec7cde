"""The fingerprint: a hash of everything that a runbook is made from. Equal fingerprint, equal runbook."""

import hashlib
import json

from runbooks.core.facts import Facts


def fingerprint(facts: Facts, *, history_signature: str, writer_signature: str) -> str:
    """Hash of definition, coarse history, contacts and writer, as 64 hex digits.

    The exact reliability figures are not in it: they move with every execution, and a runbook is not worth a new
    LLM call because 3.1% became 3.2%.
    """
    parts = [
        facts.definition_hash,
        history_signature if facts.history_included else "history left out",
        writer_signature,
        dict(facts.escalation_matrix),
        facts.workflow.owner,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
