from datetime import UTC, datetime, timedelta

import pytest

from runbooks.core.credential import CredentialFacts, CredentialState, soonest

NOW = datetime(2026, 3, 18, 12, 0, tzinfo=UTC)


def credential(days: float | None, **changes: object) -> CredentialFacts:
    expires = None if days is None else NOW + timedelta(days=days)
    given = {"name": "stripe_live", "type": "stripe", "seen_at": NOW, "expires_at": expires, **changes}
    return CredentialFacts.model_validate(given)


@pytest.mark.parametrize(
    ("days", "state", "left"),
    [
        (None, CredentialState.UNKNOWN, None),
        (15, CredentialState.VALID, 15),
        (14, CredentialState.EXPIRING, 14),
        (6.9, CredentialState.EXPIRING, 6),
        (0, CredentialState.EXPIRED, 0),
        (-1.5, CredentialState.EXPIRED, -2),
    ],
)
def test_state_follows_from_the_end(days: float | None, state: CredentialState, left: int | None) -> None:
    found = credential(days)
    assert (found.state, found.days_left) == (state, left)


def test_age_counts_from_the_last_change() -> None:
    born = NOW - timedelta(days=400)
    assert credential(None).age_days is None
    assert credential(None, created_at=born).age_days == 400
    assert credential(None, created_at=born, updated_at=NOW - timedelta(hours=30)).age_days == 1


def test_of_several_credentials_the_one_that_ends_first_counts() -> None:
    endless, late, early = credential(None), credential(90), credential(3)
    assert soonest([endless, late, early]) == soonest([early, late, endless]) == early
    assert soonest([endless]) == endless
