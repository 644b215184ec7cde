"""What is said of a credential in a runbook: in the history, as a note, and beside a refused login."""

from datetime import timedelta

from runbooks.core.credential import CredentialFacts, CredentialState
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass
from runbooks.core.reliability import FailureGroup, Scope
from runbooks.core.terms import Names, tidy

JUST_BEFORE = timedelta(days=1)
"""A change of the credential so long before the first refused login may have caused it."""


def credential_sentences(credential: CredentialFacts | None) -> tuple[str, ...]:
    """Until when it holds, or since when it is as it is; nothing where the platform does not say."""
    if credential is None:
        return ()
    name = _name(credential)
    if credential.expires_at is not None:
        return (f"{name} {_end(credential)}.",)
    changed = credential.updated_at or credential.created_at
    if changed is None:
        return ()
    days = credential.age_days or 0
    return (
        f"{name} was last changed on {changed:%Y-%m-%d}{f', {_days(days)} ago' if days else ''}; "
        "the platform names no end for it.",
    )


def credential_notes(facts: Facts, names: Names) -> tuple[str, ...]:
    """What has to be done before anything fails: credentials that ended, or end within two weeks."""
    ending = (CredentialState.EXPIRED, CredentialState.EXPIRING)
    nodes: dict[str, list[str]] = {}
    for integration in facts.integrations:
        credential = facts.credentials.get(integration.node_key)
        if credential is not None and credential.state in ending:
            nodes.setdefault(f"{_name(credential)} {_end(credential)}", []).append(integration.node_key)
    return tuple(f"{said}; renew it before {names.several(keys)} is refused." for said, keys in nodes.items())


def login_evidence(credential: CredentialFacts | None, group: FailureGroup | None, scope: Scope) -> tuple[str, ...]:
    """What its dates say about refused logins at the node."""
    if credential is None:
        return ()
    if credential.state in (CredentialState.EXPIRED, CredentialState.EXPIRING):
        return (f"{_name(credential)} {_end(credential)}.",)
    changed = credential.updated_at
    if group is None or group.first_seen is None or changed is None or scope is not Scope.NODE:
        return ()
    if timedelta(0) <= group.first_seen - changed <= JUST_BEFORE:
        return (f"{_name(credential)} was changed on {changed:%Y-%m-%d %H:%M} UTC, shortly before the first of them.",)
    return ()


def likelier_by(credential: CredentialFacts | None) -> dict[FailureClass, float]:
    """What a credential's end makes likelier: how many failures it counts as, when failures are ranked.

    One that has ended outweighs all that was seen; one that ends soon comes right after what was seen.
    """
    state = credential.state if credential else CredentialState.UNKNOWN
    weight = {CredentialState.EXPIRED: float("inf"), CredentialState.EXPIRING: 0.5}.get(state)
    return {FailureClass.AUTH_FAILED: weight} if weight else {}


def _name(credential: CredentialFacts) -> str:
    return f'Credential "{tidy(credential.name)}"'


def _end(credential: CredentialFacts) -> str:
    """Dates stay true; days are those at the moment of writing."""
    left, end = credential.days_left or 0, credential.expires_at
    if credential.state is CredentialState.EXPIRED:
        return f"expired on {end:%Y-%m-%d %H:%M} UTC"
    when = f"in {_days(left)}" if left else "within a day"
    return f"expires on {end:%Y-%m-%d} ({when}, as seen on {credential.seen_at:%Y-%m-%d})"


def _days(number: int) -> str:
    return f"{number} day{'s' if number != 1 else ''}"
