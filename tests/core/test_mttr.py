import pytest

from runbooks.core.mttr import Incident, mttr


def incidents(with_runbook: list[float | None], without: list[float | None]) -> list[Incident]:
    return [
        *(Incident(with_runbook=True, duration_s=seconds) for seconds in with_runbook),
        *(Incident(with_runbook=False, duration_s=seconds) for seconds in without),
    ]


def test_medians_of_both_sides_are_compared() -> None:
    report = mttr(incidents([60, 60, 70, 80, 7000], [100, 100, 100, 100, 100]))
    assert report.with_runbook.median_s == 70
    assert report.without_runbook.median_s == 100
    assert report.change == pytest.approx(-0.3)
    assert report.verdict == "met"


@pytest.mark.parametrize(("after", "verdict"), [(70, "met"), (71, "not met"), (130, "not met")])
def test_target_is_a_fall_by_three_tenths(after: float, verdict: str) -> None:
    report = mttr(incidents([after] * 5, [100] * 5))
    assert report.verdict == verdict
    assert report.target == 0.3


@pytest.mark.parametrize(("with_runbook", "without"), [(4, 50), (50, 4), (0, 9), (9, 0), (0, 0)])
def test_fewer_than_five_resolved_incidents_on_a_side_decide_nothing(with_runbook: int, without: int) -> None:
    assert mttr(incidents([10] * with_runbook, [100] * without)).verdict == "too few"


def test_open_incidents_are_counted_and_are_in_no_median() -> None:
    report = mttr(incidents([10, 20, None, None], [None]))
    assert (report.with_runbook.resolved, report.with_runbook.open, report.with_runbook.median_s) == (2, 2, 15)
    assert (report.without_runbook.resolved, report.without_runbook.open) == (0, 1)
    assert report.without_runbook.median_s is None
    assert report.change is None


def test_incidents_that_took_no_time_give_no_division_by_zero() -> None:
    report = mttr(incidents([10] * 5, [0] * 5))
    assert report.change is None
    assert report.verdict == "too few"
