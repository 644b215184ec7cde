"""The whole flow over 2,000 workflows with the catalogue writer. Bar: 60 s."""

import json

from tests.benchmarks.measure import measure
from tests.benchmarks.servers import platform

WORKFLOWS = 2000


def main() -> None:
    """Print one run from nothing."""
    with platform(WORKFLOWS) as env:
        run = measure("sweep", "--writer", "catalogue", "--json", env=env)
    report = json.loads(run.stdout)
    print(f"{report['generated']} of {report['workflows_active']} workflows written: {run}")
    print(f"of which the flow: {report['duration_s']} s")


if __name__ == "__main__":
    main()
