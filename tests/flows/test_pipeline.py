"""Which workflows go through the pipeline together."""

import pytest

from flows.pipeline import dealt
from runbooks.core.batch import Candidate


def sizes(count: int, batch_size: int) -> list[int]:
    candidates = [Candidate(str(number), "", "") for number in range(count)]
    batches = list(dealt(candidates, batch_size))
    assert [one for batch in batches for one in batch] == candidates
    return [len(batch) for batch in batches]


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
    assert sizes(count, batch_size) == expected
