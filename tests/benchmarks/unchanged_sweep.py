"""A sweep over 100,000 stored workflows of which none changed. Bars: 20 s beside Prefect's start-up, 400 MB."""

import json

from tests.benchmarks.measure import measure
from tests.benchmarks.servers import platform

WORKFLOWS = 100_000


def main() -> None:
    """Print the first sweep, which writes them all, and two that find nothing to do."""
    with platform(WORKFLOWS) as env:
        for name in ("from nothing", "unchanged", "unchanged again"):
            run = measure("sweep", "--writer", "catalogue", "--json", env=env)
            report = json.loads(run.stdout)
            counts = f"{report['workflows_active']} active, {report['generated']} written"
            print(f"{name}: {counts}: {run}; the flow {report['duration_s']} s", flush=True)


if __name__ == "__main__":
    main()
