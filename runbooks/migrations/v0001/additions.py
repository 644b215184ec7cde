"""What is added to the host's `execution_runbooks`, and how it is taken back.

Each change that was really made is noted in `runbook_host_changes`, so that going back undoes those and no others.
"""

from collections.abc import Mapping

from runbooks.migrations.steps import Step
from runbooks.migrations.v0001.host import Host

PLATFORM = "platform"
"""The change that stands for all of the platform's tables, created in standalone mode."""

NOTES = """
CREATE TABLE runbook_host_changes (
    change text PRIMARY KEY,
    was text
)"""

BACKFILL = """
UPDATE execution_runbooks r SET workflow_id = w.id
FROM executions e JOIN workflows w ON w.id = e.workflow_id
WHERE e.id = r.execution_id"""


def additions(host: Host, *, standalone: bool) -> list[Step]:
    """Add what the host lacks, and note it."""
    changes = {change: step for change, step in _possible(host).items() if _lacks(host, change)}
    noted = [*([PLATFORM] if standalone else []), *changes]
    rows = ", ".join(f"('{change}', {_was(host, change)})" for change in noted)
    notes = Step(
        "runbook_host_changes: new table, notes what is added to the host's tables",
        (NOTES, f"INSERT INTO runbook_host_changes (change, was) VALUES {rows}"),  # noqa: S608 - constants, and a quoted literal
        ("runbook_host_changes",),
    )
    return [*changes.values(), notes]


def _lacks(host: Host, change: str) -> bool:
    if change == "proactive_unique":
        return True
    return host.execution_id_required if change == "execution_id" else change not in host.runbook_columns


def _was(host: Host, change: str) -> str:
    """What has to be known to take the change back, as an SQL literal."""
    if change == "execution_id" and host.execution_id_rule:
        return "'" + host.execution_id_rule.replace("'", "''") + "'"
    return "NULL"


def _possible(host: Host) -> Mapping[str, Step]:
    return {
        "workflow_id": Step(f"execution_runbooks.workflow_id: new column, {host.id_type}", tuple(_workflow_id(host))),
        "type": Step(
            "execution_runbooks.type: new column, existing rows are reactive",
            ("ALTER TABLE execution_runbooks ADD COLUMN type varchar(20) NOT NULL DEFAULT 'reactive'",),
        ),
        "ai_generated": Step(
            "execution_runbooks.ai_generated: new column",
            ("ALTER TABLE execution_runbooks ADD COLUMN ai_generated boolean NOT NULL DEFAULT false",),
        ),
        "sections": Step(
            "execution_runbooks.sections: new column",
            ("ALTER TABLE execution_runbooks ADD COLUMN sections jsonb",),
        ),
        "execution_id": Step(
            "execution_runbooks.execution_id: may be null, a proactive runbook belongs to no execution",
            ("ALTER TABLE execution_runbooks ALTER COLUMN execution_id DROP NOT NULL",),
        ),
        "proactive_unique": Step(
            "execution_runbooks: new index, one proactive runbook a workflow",
            (
                "CREATE UNIQUE INDEX execution_runbooks_proactive_unique ON execution_runbooks (workflow_id)"
                " WHERE type = 'proactive'",
            ),
            ("execution_runbooks",),
        ),
    }


def _workflow_id(host: Host) -> list[str]:
    statements = [f"ALTER TABLE execution_runbooks ADD COLUMN workflow_id {host.id_type}"]
    if host.rows_lead_to_workflows:
        statements.append(BACKFILL)
    if host.workflows_have_key:
        statements.append(
            "ALTER TABLE execution_runbooks ADD FOREIGN KEY (workflow_id) REFERENCES workflows (id) ON DELETE CASCADE"
        )
    return [*statements, "CREATE INDEX ON execution_runbooks (workflow_id)"]


def removals(noted: Mapping[str, str | None]) -> list[Step]:
    """Take back what was noted, last first. Proactive rows have to be gone: the old schema has no place for them."""
    steps = []
    if "proactive_unique" in noted:
        steps.append(Step("execution_runbooks: index dropped", ("DROP INDEX execution_runbooks_proactive_unique",)))
    steps += [
        Step(f"execution_runbooks.{name}: dropped", (f"ALTER TABLE execution_runbooks DROP COLUMN {name}",))
        for name in ("sections", "ai_generated", "type", "workflow_id")
        if name in noted
    ]
    if "execution_id" in noted:
        steps.append(Step("execution_runbooks.execution_id: required again", (_require(noted["execution_id"]),)))
    return steps


def _require(rule: str | None) -> str:
    if rule is None:
        return "ALTER TABLE execution_runbooks ALTER COLUMN execution_id SET NOT NULL"
    return f"ALTER TABLE execution_runbooks ADD CONSTRAINT {rule} NOT NULL execution_id"
