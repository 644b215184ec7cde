"""The memory of a first sweep of 100,000 workflows against that of 1,000."""

from collections.abc import Iterator

from tests.benchmarks.memory import compared
from tests.benchmarks.table import Figure


def figures() -> Iterator[Figure]:
    """The peak of the process at both sizes."""
    return compared((1_000, 100_000))
