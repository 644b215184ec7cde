"""How soon the command answers. Bar: 1 s without Prefect."""

from collections.abc import Iterator

from tests.benchmarks.measure import measure
from tests.benchmarks.table import Figure, at_most

BAR = 1.0


def figures() -> Iterator[Figure]:
    """The median of five runs each."""
    for arguments in (["--help"], ["--version"], ["sweep", "--help"]):
        runs = sorted(measure(*arguments).seconds for _ in range(5))
        yield at_most(BAR, runs[2], "s", f"`runbooks {' '.join(arguments)}`")
