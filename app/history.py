"""`runbooks history`: the versions of one runbook."""

import json
from typing import Any

from rich.table import Table

from app.console import results
from runbooks.adapters.versions import Version, read_versions
from runbooks.bootstrap import open_database
from runbooks.core.regeneration import sentence
from runbooks.errors import RunbookNotFound
from runbooks.settings import load_settings


def run_history(workflow_id: str, *, as_json: bool) -> int:
    """Print them, the latest first."""
    versions = versions_of(workflow_id)
    if as_json:
        print(json.dumps([_as_json(version) for version in versions], indent=2, default=str))
        return 0
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("version", "written", "by", "worst case", "status", "cost", "why"):
        table.add_column(name)
    for version in versions:
        table.add_row(*_row(version))
    results().print(table)
    return 0


def versions_of(workflow_id: str) -> list[Version]:
    """All versions that are kept, the latest first; there is at least one."""
    database = open_database(load_settings())
    versions: list[Version] = []
    if database.valid_ids([workflow_id]):
        with database.begin() as connection:
            versions = read_versions(connection, workflow_id, schema=database.schema)
    if not versions:
        raise RunbookNotFound(f"workflow {workflow_id!r} has no runbook; try `runbooks generate {workflow_id}`")
    return versions


def _row(version: Version) -> tuple[str, ...]:
    cost = version.provenance.get("cost_usd")
    return (
        f"{version.version}{' (current)' if version.is_current else ''}",
        f"{version.created_at:%Y-%m-%d %H:%M}",
        version.model or version.writer if version.writer == "llm" else version.writer,
        version.severity or "",
        version.status or "",
        f"${float(cost):.4f}" if cost is not None else "",
        sentence(version.reason),
    )


def _as_json(version: Version) -> dict[str, Any]:
    return {**vars(version), "why": sentence(version.reason)}
