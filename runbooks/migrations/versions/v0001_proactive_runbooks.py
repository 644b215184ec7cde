"""Room for proactive runbooks: in the host's `execution_runbooks`, and in tables of our own."""

from sqlalchemy import text

from runbooks.migrations.steps import Step, database, tables_dropped, take
from runbooks.migrations.v0001.additions import PLATFORM, additions, removals
from runbooks.migrations.v0001.host import STANDALONE, look
from runbooks.migrations.v0001.own import OWN_TABLES, own_tables
from runbooks.migrations.v0001.platform import TABLES as PLATFORM_TABLES
from runbooks.migrations.v0001.platform import platform_tables

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Look before leaping: create the platform's tables where there are none, then add what is missing."""
    found = look(database())
    host = found or STANDALONE
    if found is None:
        take([platform_tables()])
    take(additions(host, standalone=found is None))
    take(own_tables(host))


def downgrade() -> None:
    """Take back exactly what was added."""
    rows = database().execute(text("SELECT change, was FROM runbook_host_changes"))
    noted: dict[str, str | None] = {row.change: row.was for row in rows}
    take([tables_dropped((*OWN_TABLES, "runbook_host_changes"))])
    if PLATFORM in noted:
        take([tables_dropped(tuple(PLATFORM_TABLES))])
        return
    take([_proactive_deleted(), *removals(noted)])


def _proactive_deleted() -> Step:
    count = database().execute(text("SELECT count(*) FROM execution_runbooks WHERE type = 'proactive'")).scalar_one()
    return Step(
        f"execution_runbooks: {count} proactive runbooks deleted",
        ("DELETE FROM execution_runbooks WHERE type = 'proactive'",),
    )
