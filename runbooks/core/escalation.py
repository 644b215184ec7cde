"""Whom to tell at which severity, and after how long."""

from collections.abc import Mapping
from typing import Any

from runbooks.core.failure_classes import Severity
from runbooks.core.redaction import redact
from runbooks.core.terms import tidy

DEFAULT_MATRIX: Mapping[str, str] = {
    "low": "Notify workflow owner via email",
    "medium": "Notify workspace admins via Slack",
    "high": "Page on-call engineer",
    "critical": "Page on-call engineer and incident lead, and tell workspace admins via Slack",
}
SETTING_NAMES = ("escalation_matrix", "escalation")
CONTACT_KEYS = ("action", "who", "contact", "team", "name", "channel", "email", "phone")
"""What a contact that is an object may hold, in the order in which it reads well."""
LONGEST_CONTACT = 200
FIRST_TRY = {Severity.HIGH: "30 min", Severity.MEDIUM: "2 h", Severity.LOW: "one working day"}
"""How long one person tries before telling the next."""


def escalation_from(settings: Any) -> dict[str, str]:
    """Read the matrix from a workspace's settings; what is missing or of a wrong shape keeps its default."""
    matrix = dict(DEFAULT_MATRIX)
    if not isinstance(settings, Mapping):
        return matrix
    found = [settings[name] for name in SETTING_NAMES if isinstance(settings.get(name), Mapping)]
    for name, contact in found[0].items() if found else ():
        severity = str(name).strip().lower()
        text = _contact(contact)
        if severity in matrix and text:
            matrix[severity] = text
    return matrix


def escalation_text(severity: Severity, matrix: Mapping[str, str], handover: str) -> str:
    """When to stop trying, whom to tell, and what to tell them."""
    contact = matrix.get(severity.value) or DEFAULT_MATRIX[severity.value]
    when = "At once, before the fix" if severity is Severity.CRITICAL else f"If not fixed in {FIRST_TRY[severity]}"
    return f"{when}: {contact.rstrip('. ')}. Hand over: {handover.rstrip('. ')}."


def _contact(value: Any) -> str:
    if isinstance(value, str):
        # Redacted before it is cut: half a secret is no longer recognised as one.
        return tidy(redact(value[:10_000]), LONGEST_CONTACT)
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return _contact(", ".join(value))
    if isinstance(value, Mapping):
        return _contact([part for part in (value.get(key) for key in CONTACT_KEYS) if isinstance(part, str)])
    return ""
