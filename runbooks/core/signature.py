"""Signatures of webhooks: `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`."""

import hashlib
import hmac
import re
from collections.abc import Sequence

TOLERANCE_S = 300
"""How far the sender's clock may be from ours."""
LONGEST_HEADER = 1000
MOMENT = re.compile(r"[0-9]{1,12}")
HEX = re.compile(r"[0-9a-f]{64}")


class SignatureRefused(ValueError):
    """The signature is missing, forged or stale; the text may be told to the sender."""


def sign(secret: str, timestamp: int, body: bytes) -> str:
    """The header of a body that is sent now."""
    return f"t={timestamp},v1={_digest(secret, str(timestamp), body)}"


def verify(header: str, body: bytes, *, secrets: Sequence[str], now: float) -> str:
    """Return the signature that matches one of the secrets; it names this very delivery. Raise SignatureRefused."""
    moment, signatures = _parts(header)
    expected = [_digest(secret, moment, body) for secret in secrets]
    # All are compared, so that the time it takes tells nothing.
    matching = [one for one in expected for given in signatures if hmac.compare_digest(one, given)]
    if not matching:
        raise SignatureRefused("the signature matches no secret")
    if abs(now - int(moment)) > TOLERANCE_S:
        raise SignatureRefused(f"the signature's time is more than {TOLERANCE_S} s from now")
    return matching[0]


def _parts(header: str) -> tuple[str, list[str]]:
    pairs = [part.strip().partition("=") for part in header[:LONGEST_HEADER].split(",")]
    moments = [value for name, _, value in pairs if name == "t" and MOMENT.fullmatch(value)]
    signatures = [value for name, _, value in pairs if name == "v1" and HEX.fullmatch(value)]
    if len(moments) != 1 or not signatures:
        raise SignatureRefused("the header X-Signature is missing or not like t=<unix seconds>,v1=<hex>")
    return moments[0], signatures


def _digest(secret: str, moment: str, body: bytes) -> str:
    return hmac.new(secret.encode(), moment.encode() + b"." + body, hashlib.sha256).hexdigest()
