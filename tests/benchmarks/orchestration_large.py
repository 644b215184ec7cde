"""What Prefect costs a sweep of 10,000 workflows, against no orchestrator."""

from collections.abc import Iterator

from tests.benchmarks.orchestration import compared
from tests.benchmarks.table import Figure


def figures() -> Iterator[Figure]:
    """Compare them once."""
    return compared({10_000: 1})
