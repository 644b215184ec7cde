from datetime import UTC, datetime

import pytest

from runbooks.core.evidence import evidence_sentences, history_sentences
from runbooks.core.failure_classes import FailureClass
from runbooks.core.flag_text import flag_sentences
from runbooks.core.flags import Flag
from runbooks.core.time_pattern import TimePattern
from tests.support.runbook_facts import make_group, make_reliability

DAY = datetime(2026, 3, 11, 8, 30, tzinfo=UTC)
MONDAYS = TimePattern(weekdays=(0,), first_hour=9, hours=1, failures=12, of=15, dates=4, calls_share=0.006)
PATTERN = (
    "Most rate limits (12 of 15) come on Mondays 09:00 to 10:00 UTC, on 4 different days; "
    "0.6% of the calls are made then."
)


def test_no_flag_no_word() -> None:
    assert flag_sentences(make_reliability()) == []


def test_flags_are_named_together() -> None:
    (named, *_) = flag_sentences(make_reliability(flags=(Flag.FAILING, Flag.DEGRADING, Flag.SLOW)))
    assert named == "Flagged as failing, degrading and slow."


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        (Flag.FAILING, "a tenth or more fail"),
        (Flag.FLAPPING, "4 outages with hours between them in which it worked"),
        (Flag.SILENT, "nothing since 2026-03-11 08:30 UTC"),
        (Flag.NEW, "the first was on 2026-03-11"),
    ],
)
def test_what_a_flag_means_comes_with_its_figure(flag: Flag, words: str) -> None:
    said = flag_sentences(make_reliability(flags=(flag,), outages=4, first_at=DAY, last_at=DAY))
    assert len(said) == 2
    assert words in said[1]


def test_pattern_and_first_time_are_evidence_of_their_class_and_part_of_the_history() -> None:
    group = make_group(FailureClass.RATE_LIMITED, 15, pattern=MONDAYS, first_seen=DAY.replace(month=2))
    reliability = make_reliability(group)
    found = evidence_sentences(group, reliability, node='"A"', connector="x")
    assert found[0].endswith("; first seen 2026-02-11 08:30, last seen 2026-03-01 14:05 UTC.")
    assert found[1] == PATTERN
    assert PATTERN in history_sentences(reliability, node='"A"', connector="x", included=True)
