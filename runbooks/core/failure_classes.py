"""The closed list of failure classes and the severities, the words that all parts share."""

from enum import StrEnum


class FailureClass(StrEnum):
    """Why a call failed, named by the remedy that mends it."""

    TIMEOUT = "timeout"
    AUTH_FAILED = "auth_failed"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMITED = "rate_limited"
    QUOTA_OR_BILLING = "quota_or_billing"
    NETWORK = "network"
    TLS = "tls"
    SERVER_ERROR = "server_error"
    INVALID_REQUEST = "invalid_request"
    UNEXPECTED_RESPONSE = "unexpected_response"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    RESOURCE_EXHAUSTED = "resource_exhausted"
    CONFIGURATION = "configuration"
    UNKNOWN = "unknown"


class Severity(StrEnum):
    """How bad a failure is; the members are ordered from least to worst."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Severity).index(self)

    @classmethod
    def worst(cls, severities: "list[Severity]") -> "Severity":
        """The worst of several; low when there is none."""
        return max(severities, key=lambda severity: severity.rank, default=cls.LOW)
