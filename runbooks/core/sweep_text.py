"""The report of a sweep as a page: what was written, what was not and why."""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from runbooks.core.report import SweepReport
from runbooks.core.workflow import Frozen

LISTED = 100
"""Runbooks and failures that the page names; more would be scrolled past."""


class WrittenRunbook(Frozen):
    """A runbook that was stored."""

    workflow_id: str
    workspace_id: str
    title: str
    severity: str
    ai_generated: bool


def sweep_markdown(report: SweepReport, written: Sequence[WrittenRunbook], *, links: Mapping[str, str | None]) -> str:
    """The page; `links` says by workflow id where a runbook can be read."""
    lines = [f"**{report.headline}**", *(f"\nThis sweep: {_cell(remark)}." for remark in report.remarks)]
    if written:
        lines += ["", f"## Written{_of(len(written), report.generated)}", ""]
        lines += ["| runbook | worst case | by | workflow |", "|---|---|---|---|"]
        lines += [_row(one, links.get(one.workflow_id)) for one in written]
    if report.failed:
        lines += ["", f"## No runbook{_of(min(LISTED, len(report.failed)), len(report.failed))}", ""]
        lines += ["| workflow | why |", "|---|---|"]
        lines += [f"| `{one.workflow_id}` | {_cell(one.reason)} |" for one in report.failed[:LISTED]]
    if report.failed_shards:
        lines += ["", "## Parts that were lost", "", *(f"- shard {_cell(one)}" for one in report.failed_shards)]
    if report.fallbacks:
        lines += ["", "## Written by the catalogue although a model was asked", ""]
        lines += [f"- {count}: {_cell(reason)}" for reason, count in report.fallbacks.items()]
    return "\n".join([*lines, "", "## Figures", "", *_figures(report)]) + "\n"


def outside_link(template: str, one: WrittenRunbook) -> str:
    """Address of a runbook, of a template with `{workflow_id}` and `{workspace_id}` in it."""
    values = {"workflow_id": one.workflow_id, "workspace_id": one.workspace_id}
    return template.format(**{name: quote(value, safe="") for name, value in values.items()})


def artifact_key(workflow_id: str) -> str:
    """The key of a workflow's runbook among Prefect's artifacts, so that its history shows in one place."""
    return f"runbook-{re.sub('[^a-z0-9]+', '-', workflow_id.strip().lower())}"


def _figures(report: SweepReport) -> list[str]:
    figures: dict[str, int | str] = {
        "active workflows": report.workflows_active,
        "changed": report.changed,
        "written": report.generated,
        "unchanged": report.unchanged,
        "without a runbook": len(report.failed),
        "calls of the model": report.llm.calls,
        "tokens in / out": f"{report.llm.prompt_tokens:,} / {report.llm.completion_tokens:,}",
        "cost of the model": "not known" if report.llm.cost_usd is None else f"${report.llm.cost_usd:,.2f}",
        "seconds": f"{report.duration_s:,.1f}",
    }
    return [
        "| workflows, calls, time | |",
        "|---|---:|",
        *(f"| {name} | {_number(value)} |" for name, value in figures.items()),
    ]


def _number(value: int | str) -> str:
    return f"{value:,}" if isinstance(value, int) else value


def _of(shown: int, total: int) -> str:
    return f", {shown} of {total}" if shown < total else ""


def _row(one: WrittenRunbook, link: str | None) -> str:
    by = "AI and catalogue" if one.ai_generated else "catalogue"
    title = _cell(one.title.removeprefix("Runbook: "))
    shown = f"{title} [open]({link})" if link else title
    return f"| {shown} | {one.severity} | {by} | `{one.workflow_id}` |"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").replace("<", "&lt;").split())
