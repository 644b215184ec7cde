"""`make bench`: the benchmarks that end within minutes, or those named: `python -m tests.benchmarks preview memory`."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

from tests.benchmarks.table import Figure, markdown, measured

BENCHMARKS = (
    "orchestration",
    "memory",
    "unchanged_sweep",
    "llm_sweep",
    "incident",
    "api",
    "classify",
    "extraction",
    "preview",
    "start_up",
)
LONG = {
    "orchestration_large": "10,000 workflows, some 5 minutes",
    "memory_large": "a first sweep of 100,000, some 15 minutes and 10 GB of disk",
    "runners": "2,000 workflows in one process, in shards and on clusters, some 5 minutes",
    "reliability": "five million call attempts, some 10 minutes",
}
"""Only run by name."""


def main(names: list[str]) -> int:
    """Run benchmarks one after another; each line as it is known, and the table of all at the end."""
    unknown = set(names) - {*BENCHMARKS, *LONG}
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        for name, cost in LONG.items():
            print(f"and, only by name, {name}: {cost}", file=sys.stderr)
        return 2
    found: list[Figure] = []
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        found += alone(name)
    print(f"\n{markdown(found)}")
    return 0


def alone(name: str) -> list[Figure]:
    """Run one benchmark in a process of its own: what others have loaded must not count as its memory."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        return process.submit(measured, name).result()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
