"""How bad a failure is: what the scenario says, moved by what hangs on the integration."""

from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import Integration

PASSING = frozenset({FailureClass.TIMEOUT, FailureClass.NETWORK, FailureClass.SERVER_ERROR, FailureClass.RATE_LIMITED})
"""Classes that a second attempt often gets over."""

_ORDER = tuple(Severity)


def severity_of(
    severity: Severity, failure_class: FailureClass, integration: Integration, *, node_fails: bool = True
) -> Severity:
    """The severity of a scenario at one integration.

    A critical integration raises it by one, an important one raises medium to high, an unimportant one lowers it by
    one. Retries lower by one what passes by itself, where a second call can do no harm. A node whose failure its
    workflow survives is at most medium.
    """
    rank = severity.rank + _shift(severity, integration.criticality)
    if integration.max_attempts > 1 and failure_class in PASSING and _retry_is_safe(failure_class, integration):
        rank -= 1
    if integration.continue_on_error and node_fails:
        rank = min(rank - 1, Severity.MEDIUM.rank)
    return _ORDER[min(max(rank, 0), len(_ORDER) - 1)]


def _retry_is_safe(failure_class: FailureClass, integration: Integration) -> bool:
    """A call that was refused for its pace did not happen; one whose answer was lost may have."""
    return failure_class is FailureClass.RATE_LIMITED or integration.access == "read"


def _shift(severity: Severity, criticality: Severity) -> int:
    if criticality is Severity.CRITICAL:
        return 1
    if criticality is Severity.HIGH:
        return 1 if severity is Severity.MEDIUM else 0
    return -1 if criticality is Severity.LOW else 0
