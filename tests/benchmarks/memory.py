"""The memory of a first sweep by its size. Bar: at most 1.25 times that of 1,000 workflows."""

import json
from collections.abc import Iterator

from tests.benchmarks.measure import measure
from tests.benchmarks.servers import servers
from tests.benchmarks.table import Figure

SIZES = (1_000, 10_000)
GROWTH = 1.25


def figures() -> Iterator[Figure]:
    """The peak of the process at each size."""
    return compared(SIZES)


def compared(sizes: tuple[int, ...]) -> Iterator[Figure]:
    """The peak at these sizes, the first of which the others are held against."""
    base = 0.0
    with servers() as both:
        for workflows in sizes:
            name = f"first_{workflows}"
            both.fill(name, workflows)
            run = measure("sweep", "--writer", "catalogue", "--json", env=both.env(name))
            report = json.loads(run.stdout)
            base = base or run.peak_mb
            yield Figure(
                f"memory of a first sweep of {workflows:,}",
                f"{run.peak_mb:.0f} MB; {report['generated']:,} written in {report['duration_s']:,.0f} s",
                f"{run.peak_mb / base:.2f} × that of {sizes[0]:,}",
                f"≤ {GROWTH} ×",
            )
