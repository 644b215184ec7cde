"""One call to the outside as a node's settings describe it, before the graph is looked at."""

from dataclasses import dataclass

from runbooks.core.integration import Authentication
from runbooks.core.operations import UNTOLD, Effect
from runbooks.core.services import Service


@dataclass(frozen=True, slots=True)
class Proof:
    """How a node proves who it is."""

    authentication: Authentication = Authentication.UNKNOWN
    credential: str | None = None
    """The credential's name."""
    inline_secret: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Who is called, for what, and how it is done."""

    service: Service
    direction: str = "outbound"
    operation: str = ""
    effect: Effect = UNTOLD
    method: str | None = None
    host: str | None = None
    host_note: str | None = None
    proof: Proof = Proof()
    timeout_s: float | None = None
    """What the dialect gives a node of this type that sets no limit itself."""
