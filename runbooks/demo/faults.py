"""How a call can end badly, in the words of the platform's engine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One bad end of a call."""

    message: str
    """What the node says; `{url}` is the address that was called, `{verb}` how Go writes the method."""
    retryable: bool = False
    """Whether the engine tries again when attempts are left."""
    status: str = ""
    """Status of the call attempt; empty for nodes that keep no attempts."""
    status_code: int | None = None
    error_code: str | None = None
    detail: str | None = None
    """What the attempt says."""
    takes: str = "usual"
    """How long it takes: `usual` like any call, `limit` until the time limit, `moment` hardly at all."""


def refused(code: int, detail: str) -> Fault:
    """The service answered with a 4xx: the engine does not try again."""
    return Fault(f"client error: status {code}", False, "client_error", code, None, detail)


def broken(code: int) -> Fault:
    """The service answered with a 5xx."""
    return Fault(f"server error: status {code}", True, "server_error", code)


def overdue() -> Fault:
    """The service did not answer in time."""
    detail = '{verb} "{url}": context deadline exceeded'
    return Fault(f"HTTP request failed: {detail}", True, "timeout", None, "HTTP_TIMEOUT", detail, "limit")


def unreachable(reason: str) -> Fault:
    """No connection was made; the reason as Go gives it."""
    detail = '{verb} "{url}": ' + reason
    return Fault(f"HTTP request failed: {detail}", True, "network_error", None, "HTTP_REQUEST_FAILED", detail, "moment")


def raised(message: str, *, retryable: bool = False, takes: str = "usual") -> Fault:
    """A node other than HTTP failed: only its message is kept."""
    return Fault(message, retryable=retryable, takes=takes)
