"""What the platform knows of a node's credential: its name and its dates, never its content."""

from datetime import datetime, timedelta
from enum import StrEnum

from runbooks.core.workflow import Frozen

SOON = timedelta(days=14)
"""Long enough before the end that somebody can ask for a new one."""


class CredentialState(StrEnum):
    """Whether it can still be used."""

    VALID = "valid"
    EXPIRING = "expiring"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    """The platform has no end for it; the service may have one."""


class CredentialFacts(Frozen):
    """One credential, as it was when it was looked at."""

    name: str
    type: str
    seen_at: datetime
    expires_at: datetime | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    @property
    def state(self) -> CredentialState:
        """`expiring` within two weeks of its end, `expired` from that moment on."""
        if self.expires_at is None:
            return CredentialState.UNKNOWN
        if self.expires_at <= self.seen_at:
            return CredentialState.EXPIRED
        return CredentialState.EXPIRING if self.expires_at - self.seen_at <= SOON else CredentialState.VALID

    @property
    def days_left(self) -> int | None:
        """Whole days until its end, negative after it; None without an end."""
        return None if self.expires_at is None else (self.expires_at - self.seen_at) // timedelta(days=1)

    @property
    def age_days(self) -> int | None:
        """Whole days since it was last changed; None when the platform does not say."""
        changed = self.updated_at or self.created_at
        return None if changed is None else max(0, (self.seen_at - changed) // timedelta(days=1))


def soonest(credentials: list[CredentialFacts]) -> CredentialFacts:
    """Of several credentials of one node, the one that ends first."""
    return min(
        credentials,
        key=lambda one: (one.expires_at is None, one.expires_at or one.seen_at, one.name, one.type),
    )
