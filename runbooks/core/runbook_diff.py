"""What moved between two versions of a runbook."""

from collections.abc import Iterator, Mapping

from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection
from runbooks.core.workflow import Frozen

TEXTS = ("symptoms", "diagnosis", "remediation", "verification", "prevention", "evidence")
GENERAL = "the workflow as a whole"


class Change(Frozen):
    """One thing that is there now, is gone, or says something else."""

    kind: str
    """added, removed or changed."""
    where: str
    """Node and scenario, in words."""
    what: str
    """Which part of it; empty when it is the whole."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def diff_runbooks(before: Runbook, after: Runbook) -> list[Change]:
    """All changes, the whole first, then section by section."""
    changes = list(_fields("", before, after, ("title", "summary", "severity", "owner", "notes")))
    changes += _mapping("escalation", before.escalation_matrix, after.escalation_matrix)
    old = {section.node_key: section for section in before.sections}
    new = {section.node_key: section for section in after.sections}
    for key in dict.fromkeys((*new, *old)):
        changes += _sections(old.get(key), new.get(key))
    changes += _scenarios(GENERAL, before.general, after.general)
    return changes


def says_the_same(before: Runbook, after: Runbook) -> bool:
    """Whether somebody who has read the one need not read the other: figures and their order may differ."""
    figures = {("", "notes"), ("", "summary")}
    return not any(
        change.what not in ("evidence", "history") and (change.where, change.what) not in figures
        for change in diff_runbooks(before, after)
    )


def diff_text(changes: list[Change]) -> str:
    """The changes for people: a line each, and what was and is said below it."""
    lines: list[str] = []
    for change in changes:
        mark = {"added": "+", "removed": "-", "changed": "~"}[change.kind]
        lines.append(f"{mark} {': '.join(part for part in (change.where, change.what) if part)}")
        lines += [f"    - {line}" for line in change.before if line not in change.after]
        lines += [f"    + {line}" for line in change.after if line not in change.before]
    return "\n".join(lines)


def _sections(old: RunbookSection | None, new: RunbookSection | None) -> Iterator[Change]:
    if old is None or new is None:
        there = new or old
        assert there is not None  # noqa: S101 - the key comes from one of them
        yield Change(kind="added" if new else "removed", where=_place(there), what="")
        return
    fields = ("integration", "operation", "host", "credential", "severity", "impact", "rerun", "history")
    yield from _fields(_place(new), old, new, fields)
    yield from _scenarios(_place(new), old.failure_scenarios, new.failure_scenarios)


def _scenarios(place: str, before: tuple[FailureScenario, ...], after: tuple[FailureScenario, ...]) -> Iterator[Change]:
    old = {scenario.scenario_id: scenario for scenario in before}
    new = {scenario.scenario_id: scenario for scenario in after}
    for key in dict.fromkeys((*new, *old)):
        there = new.get(key) or old[key]
        where = f"{place}, {there.scenario}"
        if key not in old or key not in new:
            yield Change(kind="added" if key in new else "removed", where=where, what="")
        else:
            yield from _fields(where, old[key], new[key], (*TEXTS, "severity", "escalation"))


def _fields(
    where: str,
    before: Runbook | RunbookSection | FailureScenario,
    after: Runbook | RunbookSection | FailureScenario,
    names: tuple[str, ...],
) -> Iterator[Change]:
    for name in names:
        old, new = _lines(getattr(before, name)), _lines(getattr(after, name))
        if old != new:
            yield Change(kind="changed", where=where, what=name, before=old, after=new)


def _mapping(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in dict.fromkeys((*after, *before)):
        old, new = _lines(before.get(name)), _lines(after.get(name))
        if old != new:
            yield Change(kind="changed", where="", what=f"{what} {name}", before=old, after=new)


def _lines(value: object) -> tuple[str, ...]:
    if value is None or value == "":
        return ()
    return tuple(map(str, value)) if isinstance(value, tuple) else (str(value),)


def _place(section: RunbookSection) -> str:
    return f'"{section.node_label or section.node_key}" ({section.integration})'
