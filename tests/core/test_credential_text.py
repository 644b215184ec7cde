from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.credential import CredentialFacts
from runbooks.core.credential_text import credential_sentences, likelier_by, login_evidence
from runbooks.core.failure_classes import FailureClass
from runbooks.core.reliability import Scope
from runbooks.core.runbook import Runbook
from tests.support.runbook_facts import make_facts, make_group, make_integration, make_reliability

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)
AUTH, TIMEOUT = FailureClass.AUTH_FAILED, FailureClass.TIMEOUT
WRITER = CatalogueWriter(load_catalogue())


def credential(days: float | None = None, **changes: Any) -> CredentialFacts:
    expires = None if days is None else NOW + timedelta(days=days)
    return CredentialFacts(
        **{"name": "stripe_live", "type": "stripe", "seen_at": NOW, "expires_at": expires, **changes}
    )


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (credential(6.5), 'Credential "stripe_live" expires on 2026-03-25 (in 6 days, as seen on 2026-03-18).'),
        (credential(0.5), 'Credential "stripe_live" expires on 2026-03-19 (within a day, as seen on 2026-03-18).'),
        (credential(400), 'Credential "stripe_live" expires on 2027-04-22 (in 400 days, as seen on 2026-03-18).'),
        (credential(-3), 'Credential "stripe_live" expired on 2026-03-15 12:00 UTC.'),
        (
            credential(created_at=NOW - timedelta(days=400)),
            'Credential "stripe_live" was last changed on 2025-02-11, 400 days ago; the platform names no end for it.',
        ),
    ],
)
def test_end_or_age_of_a_credential_is_told(found: CredentialFacts, sentence: str) -> None:
    assert credential_sentences(found) == (sentence,)


def test_nothing_is_said_of_what_the_platform_does_not_know() -> None:
    assert credential_sentences(None) == credential_sentences(credential()) == ()


def test_change_of_a_credential_is_told_when_refusals_began_right_after_it() -> None:
    changed = credential(updated_at=NOW - timedelta(days=2))

    def told(hours: float, scope: Scope = Scope.NODE) -> tuple[str, ...]:
        first = NOW - timedelta(days=2) + timedelta(hours=hours)
        return login_evidence(changed, make_group(AUTH, 3, first_seen=first), scope)

    assert told(1) == (
        'Credential "stripe_live" was changed on 2026-03-16 12:00 UTC, shortly before the first of them.',
    )
    assert told(25) == told(-1) == told(1, Scope.WORKSPACE) == ()
    assert login_evidence(changed, None, Scope.NODE) == login_evidence(None, make_group(AUTH, 3), Scope.NODE) == ()


def written(found: CredentialFacts | None, *groups: Any) -> Runbook:
    integration = make_integration()
    credentials = {integration.node_key: found} if found else {}
    reliability = {integration.node_key: make_reliability(*groups)} if groups else {}
    return WRITER.write(make_facts(integration, credentials=credentials, reliability=reliability))


def classes(runbook: Runbook) -> list[FailureClass]:
    return [scenario.failure_class for scenario in runbook.sections[0].failure_scenarios]


def test_credential_that_ends_soon_is_in_history_note_and_evidence_and_leads_what_was_not_seen() -> None:
    runbook = written(credential(6), make_group(TIMEOUT, 2))
    section = runbook.sections[0]
    assert classes(runbook)[:2] == [TIMEOUT, AUTH]
    assert section.history[-1].startswith('Credential "stripe_live" expires on 2026-03-24 (in 6 days')
    assert section.failure_scenarios[1].evidence[-1].startswith('Credential "stripe_live" expires on 2026-03-24')
    (note,) = [note for note in runbook.notes if "stripe_live" in note]
    assert note.endswith('; renew it before "Charge card" is refused.')


def test_credential_that_ended_outweighs_all_that_was_seen() -> None:
    assert classes(written(credential(-1), make_group(TIMEOUT, 90)))[0] is AUTH
    assert classes(written(credential(90), make_group(TIMEOUT, 90)))[0] is TIMEOUT


def test_credential_that_holds_makes_nothing_likelier_and_no_note() -> None:
    assert likelier_by(credential(90)) == likelier_by(credential()) == likelier_by(None) == {}
    assert not [note for note in written(credential(90)).notes if "stripe_live" in note]
