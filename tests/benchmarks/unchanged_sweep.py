"""A sweep over 100,000 stored workflows of which none changed. Bars: 20 s beside Prefect's start-up, 400 MB."""

import json
from collections.abc import Iterator

from runbooks.adapters.database import Database
from tests.benchmarks.many_workflows import add_twins
from tests.benchmarks.measure import measure
from tests.benchmarks.servers import servers
from tests.benchmarks.table import Figure, at_most

SWEPT, WORKFLOWS = 1_000, 100_000
BAR_S, BAR_MB = 20.0, 400.0
NAME = "stored"


def figures() -> Iterator[Figure]:
    """Two sweeps that find nothing to do."""
    sweep = ("sweep", "--writer", "catalogue", "--json")
    with servers() as both:
        both.fill(NAME, SWEPT)
        env = both.env(NAME)
        measure(*sweep, env=env)
        database = Database(env["RUNBOOKS_DATABASE_URL"])
        with database.begin() as connection:
            add_twins(connection, missing=WORKFLOWS - SWEPT)
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")  # as the server does by itself within minutes
        database.close()
        for time in ("first", "second"):
            run = measure(*sweep, env=env)
            report = json.loads(run.stdout)
            what = f"{time} sweep over {report['workflows_active']:,} stored workflows, {report['generated']} written"
            yield at_most(BAR_S, report["duration_s"], "s", what, f"with start-up {run.seconds:.1f} s")
            yield at_most(BAR_MB, run.peak_mb, "MB", "its memory")
