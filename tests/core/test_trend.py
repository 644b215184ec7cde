import pytest

from runbooks.core.trend import trend


@pytest.mark.parametrize(
    ("recent", "earlier", "expected"),
    [
        ((0, 0), (0, 0), "unknown"),  # no calls at all
        ((19, 19), (500, 0), "unknown"),  # too few recent calls, however bad
        ((500, 100), (19, 0), "unknown"),  # nothing to compare with
        ((100, 30), (300, 6), "worse"),
        ((100, 0), (300, 60), "better"),
        ((100, 5), (300, 15), "steady"),
        ((100, 0), (300, 0), "steady"),  # never failed
        ((100, 2), (300, 0), "steady"),  # two failures are no trend
        ((20, 3), (60, 6), "steady"),  # 15% against 10%: chance explains it
        ((100_000, 1200), (300_000, 3000), "steady"),  # certainly more, but not half as much again
        ((20, 20), (20, 20), "steady"),  # failing as before
    ],
)
def test_trend_needs_a_large_difference_that_is_hardly_chance(
    recent: tuple[int, int], earlier: tuple[int, int], expected: str
) -> None:
    assert trend(*recent, *earlier) == expected


def test_trend_turns_around_with_time() -> None:
    assert trend(100, 30, 300, 6) == "worse"
    assert trend(300, 6, 100, 30) == "better"
