"""`make bench`: every benchmark, or those named: `python -m tests.benchmarks preview sweep`."""

import sys
from importlib import import_module

BENCHMARKS = (
    "start_up",
    "preview",
    "extraction",
    "catalogue_sweep",
    "unchanged_sweep",
    "llm_sweep",
    "reliability",
    "classify",
    "incident",
    "api",
)


def main(names: list[str]) -> int:
    """Run benchmarks one after another; each prints its figures."""
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for name in names or BENCHMARKS:
        print(f"== {name}", flush=True)
        import_module(f"tests.benchmarks.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
