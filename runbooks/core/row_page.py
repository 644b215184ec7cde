"""A row of `execution_runbooks` as a page to read, for rows of which nothing but the row is known."""

from collections.abc import Mapping, Sequence

from runbooks.core.markdown import escape


def row_markdown(title: str, summary: str, steps: Sequence[Mapping[str, str]], *, severity: str, status: str) -> str:
    """Title, state, summary, and the steps in order."""
    lines = [f"# {escape(title)}", "", f"**Severity:** {severity} · **Status:** {status}", "", escape(summary), ""]
    for number, step in enumerate(steps, start=1):
        lines += [f"## {number}. {escape(step.get('title', ''))}", "", escape(step.get("description", "")), ""]
    return "\n".join(lines)
