import pytest

from runbooks.core.pace import Pace


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_requests_are_spread_evenly() -> None:
    pace = Pace(requests_per_minute=60, tokens_per_minute=None, clock=Clock())
    assert [pace.wait(5000) for _ in range(4)] == [0, 1, 2, 3]


def test_a_large_request_makes_the_next_one_wait_longer() -> None:
    pace = Pace(requests_per_minute=600, tokens_per_minute=60_000, clock=Clock())
    assert pace.wait(4000) == 0
    assert pace.wait(10) == pytest.approx(4)
    assert pace.wait(10) == pytest.approx(4.1)


def test_a_pause_leaves_no_debt_and_no_credit() -> None:
    clock = Clock()
    pace = Pace(requests_per_minute=60, tokens_per_minute=None, clock=clock)
    pace.wait(1)
    clock.now += 100
    assert [pace.wait(1) for _ in range(2)] == [0, 1]


def test_without_limits_nobody_waits() -> None:
    pace = Pace(requests_per_minute=None, tokens_per_minute=None, clock=Clock())
    assert [pace.wait(10**9) for _ in range(3)] == [0, 0, 0]


def test_who_has_a_share_of_the_limits_waits_accordingly() -> None:
    pace = Pace(requests_per_minute=60, tokens_per_minute=None, clock=Clock())
    pace.take_share(0.25)
    assert [pace.wait(1) for _ in range(3)] == [0, 4, 8]
