"""Which workflows go through the pipeline together, and when the next ones are read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from flows import pipeline
from flows.pipeline import dealt, run_batches
from runbooks.core.batch import Candidate
from runbooks.core.report import BatchOutcome
from tasks.batch import Orders


def some(count: int) -> list[Candidate]:
    return [Candidate(str(number), "", "") for number in range(count)]


@pytest.mark.parametrize(
    ("count", "batch_size", "expected"),
    [
        (0, 250, []),
        (250, 250, [250]),
        (1000, 250, [250, 250, 250, 125, 62, 63]),
        (620, 250, [250, 250, 60, 60]),
        (550, 250, [250, 250, 50]),
        (9, 4, [4, 4, 1]),
    ],
)
def test_a_large_batch_at_the_end_is_dealt_in_parts(count: int, batch_size: int, expected: list[int]) -> None:
    batches = list(dealt(some(count), batch_size))
    assert [len(batch) for batch in batches] == expected
    assert [one for batch in batches for one in batch] == some(count)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What happens to batches, in the order in which it does; nothing is really run."""
    happened: list[str] = []

    @dataclass
    class Watched:
        candidates: Sequence[Candidate]
        number: int

        def wait_until_read(self) -> None:
            happened.append(f"{self.number} is read")

        def outcome(self) -> BatchOutcome:
            happened.append(f"{self.number} is stored")
            return BatchOutcome()

    def submit(batch: Sequence[Candidate], _orders: Orders, *, label: str) -> Any:
        number = int(label.split()[1])
        happened.append(f"{number} begins")
        return Watched(batch, number)

    monkeypatch.setattr(pipeline, "submit_steps", submit)
    return happened


def test_batches_are_read_one_after_the_other_and_three_are_held_at_most(told: list[str]) -> None:
    assert len(list(run_batches(some(20), Orders("catalogue", "run"), batch_size=5))) == 4
    assert told == [
        *("1 begins", "1 is read", "2 begins", "2 is read", "3 begins"),
        *("1 is stored", "3 is read", "4 begins"),
        *("2 is stored", "3 is stored", "4 is stored"),
    ]


def test_the_parts_of_the_last_batch_do_not_wait_for_one_another(told: list[str]) -> None:
    list(run_batches(some(400), Orders("catalogue", "run"), batch_size=200))
    assert [word for word in told if word.endswith("begins")] == told[:7:2]
    assert told[7:] == ["1 is stored", "2 is stored", "3 is stored", "4 is stored"]
