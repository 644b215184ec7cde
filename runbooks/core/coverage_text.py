"""The coverage report as tables and Markdown, for the UI and for people."""

from runbooks.core.coverage import CoverageReport, Layer
from runbooks.core.mttr import MttrReport


def coverage_table(report: CoverageReport) -> list[dict[str, str | int]]:
    """One row a workspace."""
    return [
        {
            "workspace": workspace.name or workspace.workspace_id,
            "active workflows": workspace.active_workflows,
            "with current runbook": workspace.with_proactive_runbook,
            "written by AI": workspace.with_ai_runbook,
            "stale": workspace.stale,
        }
        for workspace in report.by_workspace
    ]


def coverage_markdown(report: CoverageReport) -> str:
    """The whole report on one page."""
    lines = [
        f"# Runbook coverage, {report.taken_at:%Y-%m-%d %H:%M} UTC",
        "",
        f"**{report.proactive_coverage:.0%}** of {report.active_workflows} active workflows have a current runbook; "
        f"**{report.ai_coverage:.0%}** have one written by AI (target {report.target:.0%}: "
        f"{'met' if report.target_met else 'not met'}). {report.stale} are stale.",
        "",
        "| layer | covered | of | share |",
        "|---|---:|---:|---:|",
        *(_layer(name, layer) for name, layer in layers(report)),
        "",
        "## Do they help?",
        "",
        f"- {mttr_sentence(report.mttr)}",
        f"- {ratings_sentence(report)}",
        f"- {backtest_sentence(report)}",
    ]
    if report.uncovered:
        lines += ["", "## Not covered, busiest first", "", "| workflow | id | executions | failed | why |"]
        lines += ["|---|---|---:|---:|---|"]
        lines += [
            f"| {_cell(one.name)} | {one.workflow_id} | {one.executions} | {one.failures} | "
            f"{'changed since its runbook' if one.reason == 'stale' else 'no runbook'} |"
            for one in report.uncovered
        ]
    return "\n".join(lines) + "\n"


def layers(report: CoverageReport) -> list[tuple[str, Layer]]:
    """The layers with their names, from coarse to fine."""
    return [
        ("workflows", Layer(covered=report.with_proactive_runbook, total=report.active_workflows)),
        ("integrations", report.integrations),
        ("required failure scenarios", report.failure_classes),
        (f"failures of the last {report.window_days} days", report.observed_failures),
    ]


def mttr_sentence(mttr: MttrReport) -> str:
    """Time to recover with and without a runbook, or that there is too little to tell."""
    with_, without = mttr.with_runbook, mttr.without_runbook
    counts = (
        f"{with_.resolved} resolved and {with_.open} open with a runbook, {without.resolved} and {without.open} without"
    )
    if mttr.change is None or mttr.verdict == "too few":
        return f"Time to recover: too few incidents to compare ({counts})."
    return (
        f"Time to recover: median {_minutes(with_.median_s)} with a runbook against {_minutes(without.median_s)} "
        f"without, {mttr.change:+.0%} (target {-mttr.target:.0%}: {mttr.verdict}; {counts})."
    )


def ratings_sentence(report: CoverageReport) -> str:
    """What readers think, or that nobody said."""
    ratings = report.ratings
    if ratings.share is None:
        return f"Ratings: none yet (target {ratings.target:.0%} useful)."
    return (
        f"Ratings: {ratings.useful} of {ratings.count} useful or better "
        f"({ratings.share:.0%}, target {ratings.target:.0%}: {ratings.verdict})."
    )


def backtest_sentence(report: CoverageReport) -> str:
    """How high in its section the scenario of a past failure stands."""
    recall = report.scenario_recall
    if recall.share_at_1 is None or recall.share_at_3 is None:
        return f"Back-test: no failure of a known node in the last {report.window_days} days."
    return (
        f"Back-test: of {recall.failures:,} failures at known nodes in the last {report.window_days} days, the first "
        f"scenario of the node's section fits {recall.share_at_1:.0%}, one of the first three {recall.share_at_3:.0%}."
    )


def _layer(name: str, layer: Layer) -> str:
    share = "nothing to cover" if layer.share is None else f"{layer.share:.0%}"
    return f"| {name} | {layer.covered} | {layer.total} | {share} |"


def _minutes(seconds: float | None) -> str:
    return "none" if seconds is None else f"{seconds / 60:.0f} min"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
