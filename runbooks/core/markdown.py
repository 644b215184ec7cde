"""A runbook as a Markdown page: where to look first, then per node what to do.

Names and messages in it are other people's text, so everything but our own `code` is escaped.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

from runbooks.core.failure_classes import Severity
from runbooks.core.repeats import Place, Repeats
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection, by_risk

_CODE = re.compile(r"`[^`]+`")
_SPECIAL = re.compile(r"[\\`*\[<]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)|&(?=#?[A-Za-z0-9]+;)|(?<=:)/(?=/)")
_LEADING = re.compile(r"^(?:[-+#>=|]|\d+(?=[.)](?:\s|$)))")
_URL = re.compile(r"https://[^\s<>()\[\]\"'`|\\]+")
_PICTURE = re.compile(r"^The picture shows [^\n]*\n\n```mermaid\n.*?^```\n\n", re.MULTILINE | re.DOTALL)
MOST_SECTIONS = 100
"""Sections that a page writes out; a browser gives up on much more, and so does a reader."""


MANY_SECTIONS = 5
"""From here on a page writes out the same steps only once; a shorter one is quicker to read without a jump."""
SILENT = "_silent"
"""How the ids of scenarios end in which nothing starts the workflow."""
MOST_PLACES = 3
LINES_REMEMBERED = 10_000
"""Most lines are the catalogue's, and come again with the next workflow."""


def to_markdown(runbook: Runbook) -> str:
    """The whole runbook on one page, the riskiest integration and the likeliest scenario first."""
    sections = by_risk(runbook.sections)
    lines = [*_head(runbook), *_glance(sections, runbook.general), *_picture(runbook.diagram)]
    repeats = Repeats() if len(sections) >= MANY_SECTIONS else None
    for number, section in enumerate(sections[:MOST_SECTIONS], start=1):
        lines += _section(section, number, repeats)
    lines += _general(runbook.general, len(sections) + 1)
    lines += [*matrix_lines(runbook.escalation_matrix), *_footer(runbook)]
    return "\n".join(lines).rstrip() + "\n"


def without_picture(page: str) -> str:
    """The page for a terminal, which would show the picture's source."""
    return _PICTURE.sub("", page)


@lru_cache(maxsize=LINES_REMEMBERED)
def escape(text: str) -> str:
    """One line of Markdown that shows the text as it is; `code` of ours stays code."""
    line = " ".join(text.split())
    if not _may_need_escaping(line):
        return _shield_start(line)
    if "``" in line:
        return _escape_plain(line)
    escaped, end = "", 0
    for code in _CODE.finditer(line):
        escaped += _SPECIAL.sub(_escaped, line[end : code.start()]) + code[0]
        end = code.end()
    return _shield_start(escaped + _SPECIAL.sub(_escaped, line[end:]))


def escape_cell(text: str) -> str:
    """The same inside a table, where a bar would end the cell."""
    return _escape_plain(" ".join(text.split())).replace("|", "\\|")


def _may_need_escaping(line: str) -> bool:
    """Most lines do not; one `in` a character is many times faster than the expression that looks around them."""
    return (
        "`" in line
        or "_" in line
        or "*" in line
        or "[" in line
        or "<" in line
        or "\\" in line
        or "~" in line
        or "&" in line
        or "//" in line
    )


def _escape_plain(line: str) -> str:
    return _shield_start(_SPECIAL.sub(_escaped, line))


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    return {"<": "&lt;", "&": "&amp;"}.get(found, f"\\{found}")


def _shield_start(line: str) -> str:
    """Keep a line that starts like a list or a heading from becoming one."""
    start = _LEADING.match(line)
    if not start:
        return line
    return f"{start[0]}\\{line[start.end() :]}" if start[0][0].isdigit() else f"\\{line}"


def _head(runbook: Runbook) -> list[str]:
    owner = f" · **Owner:** {escape(runbook.owner)}" if runbook.owner else ""
    lines = [f"# {escape(runbook.title)}", "", escape(runbook.summary), ""]
    lines.append(f"**Worst case:** {runbook.severity.value}{owner}")
    if runbook.notes:
        lines += ["", *(f"> - {escape(note)}" for note in runbook.notes)]
    return [*lines, ""]


def _glance(sections: Sequence[RunbookSection], general: Sequence[FailureScenario]) -> list[str]:
    rows = [
        f"| {_link(number)} | {section.severity.value} | {escape_cell(_name(section))} | "
        f"{escape_cell(_service(section))} | {escape_cell(_first(section.failure_scenarios))} |"
        for number, section in enumerate(sections, start=1)
    ]
    if general:
        worst = Severity.worst([scenario.severity for scenario in general])
        number = len(sections) + 1
        rows.append(f"| [{number}](#s{number}) | {worst.value} | any | the platform itself | {_first(general)} |")
    return [
        "## At a glance",
        "",
        "| # | worst case | node | calls | look first at |",
        "|---|---|---|---|---|",
        *rows,
        "",
        *_left_out(len(sections) - MOST_SECTIONS),
        "Find the first failed node on the Executions page, go to its section, and compare the error with the "
        f"symptoms. {_silence(sections, general)}If nothing fits, use {len(sections) + 1}.{len(general)}.",
        "",
    ]


def _silence(sections: Sequence[RunbookSection], general: Sequence[FailureScenario]) -> str:
    """Where to look when there is no failed execution to start from."""
    places = [_link(number) for number, section in enumerate(sections, start=1) if section.direction == "inbound"]
    for place, scenario in enumerate(general, start=1):
        if scenario.scenario_id.endswith(SILENT):
            places.append(f"[{len(sections) + 1}.{place}](#s{len(sections) + 1}-{place})")
    return f"If no execution starts at all, go to {' or '.join(places[:MOST_PLACES])}. " if places else ""


def _link(number: int) -> str:
    return f"[{number}](#s{number})" if number <= MOST_SECTIONS else f"{number}"


def _left_out(sections: int) -> list[str]:
    if sections <= 0:
        return []
    return [
        f"This page writes out the {MOST_SECTIONS} riskiest; the sections of the other {sections:,} are in the "
        "runbook's JSON (`--format json`), each under its `node_key`.",
        "",
    ]


def _picture(diagram: str) -> list[str]:
    if not diagram:
        return []
    return [
        "The picture shows which call comes after which, coloured by how bad a failure is; a dotted arrow serves, or "
        "runs on an error.",
        "",
        "```mermaid",
        diagram,
        "```",
        "",
    ]


def _section(section: RunbookSection, number: int, repeats: Repeats | None) -> list[str]:
    lines = [f'<a id="s{number}"></a>', "", f"## {number}. {escape(_name(section))}: {escape(_service(section))}", ""]
    lines += [f"- **Calls:** {escape(_address(section))}"]
    lines += [f"- **If it fails:** {escape(section.impact)}"] if section.impact else []
    lines += [f"- **Run it again?** {escape(section.rerun)}"] if section.rerun else []
    lines += [f"- **Reliability:** {' '.join(escape(one) for one in section.history)}"] if section.history else []
    lines += ["", *_links(section.failure_scenarios, number)]
    for place, scenario in enumerate(section.failure_scenarios, start=1):
        label, anchor = f"{number}.{place}", f"s{number}-{place}"
        earlier = repeats.earlier(section, scenario, number=label, anchor=anchor) if repeats else None
        lines += _heading(scenario, label, anchor)
        lines += _steps_elsewhere(section, earlier) if earlier else _steps(scenario)
        lines += _end(scenario, docs=not earlier)
    return lines


def _general(general: Sequence[FailureScenario], number: int) -> list[str]:
    if not general:
        return []
    return [
        f'<a id="s{number}"></a>',
        "",
        f"## {number}. The workflow as a whole",
        "",
        *_links(general, number),
        *(
            line
            for place, scenario in enumerate(general, start=1)
            for line in scenario_lines(scenario, f"{number}.{place}", f"s{number}-{place}")
        ),
    ]


def scenario_lines(scenario: FailureScenario, number: str, anchor: str) -> list[str]:
    """One scenario in full, under a heading of the third level."""
    return [*_heading(scenario, number, anchor), *_steps(scenario), *_end(scenario)]


def _links(scenarios: Sequence[FailureScenario], number: int) -> list[str]:
    links = " · ".join(
        f"[{escape_cell(scenario.scenario)}](#s{number}-{place})" for place, scenario in enumerate(scenarios, start=1)
    )
    return [f"Likeliest first: {links}", ""] if len(scenarios) > 1 else []


def _heading(scenario: FailureScenario, number: str, anchor: str) -> list[str]:
    evidence = f" · {' '.join(escape(one) for one in scenario.evidence)}" if scenario.evidence else ""
    return [
        f'<a id="{anchor}"></a>',
        "",
        f"### {number} {escape(scenario.scenario)}",
        "",
        f"Severity **{scenario.severity.value}**{evidence}",
        "",
        *_list("Looks like", scenario.symptoms, numbered=False),
    ]


def _steps(scenario: FailureScenario) -> list[str]:
    return [
        *_list("Diagnose", scenario.diagnosis, numbered=True),
        *_list("Fix", scenario.remediation, numbered=True),
        *_list("Verify", scenario.verification, numbered=False),
        *_list("Prevent", scenario.prevention, numbered=False),
    ]


def _steps_elsewhere(section: RunbookSection, earlier: Place) -> list[str]:
    here, there = escape(f'"{_name(section)}"'), escape(earlier.node)
    link = f"[{earlier.number}](#{earlier.anchor})"
    return [f"**Diagnose, fix, verify, prevent:** as in {link}, with node {here} in place of {there}.", ""]


def _end(scenario: FailureScenario, *, docs: bool = True) -> list[str]:
    lines = [f"**Escalate:** {escape(scenario.escalation)}", ""] if scenario.escalation else []
    if docs and scenario.docs_url and _URL.fullmatch(scenario.docs_url):
        lines += [f"Reference: <{scenario.docs_url}>", ""]
    return lines


def _list(title: str, items: Sequence[str], *, numbered: bool) -> list[str]:
    if not items:
        return []
    if len(items) == 1:
        return [f"**{title}:** {escape(items[0])}", ""]
    return [f"**{title}:**", "", *_items(items, numbered=numbered), ""]


def _items(items: Sequence[str], *, numbered: bool) -> Iterator[str]:
    for place, item in enumerate(items, start=1):
        yield f"{f'{place}.' if numbered else '-'} {escape(item)}"


def matrix_lines(matrix: Mapping[str, str]) -> list[str]:
    """Whom to tell at which severity, the worst first."""
    rows = [
        f"| {severity.value} | {escape_cell(matrix[severity.value])} |"
        for severity in reversed(Severity)
        if matrix.get(severity.value)
    ]
    return ["## Escalation", "", "| severity | whom to tell |", "|---|---|", *rows, ""]


def _footer(runbook: Runbook) -> list[str]:
    made = runbook.provenance
    model = f"an AI ({made.model or 'model unknown'}) with " if runbook.ai_generated else ""
    parts = [
        f"Written by {model}the failure catalogue {made.catalogue_version}",
        f"version {made.version} of the workflow" if made.version else "",
        f"definition {made.definition_hash[:12]}" if made.definition_hash else "",
        f"history of {made.window_days} days",
        f"{made.generated_at:%Y-%m-%d %H:%M} UTC" if made.generated_at else "",
    ]
    return [
        "---",
        "",
        f"{' · '.join(escape(part) for part in parts if part)}. Not reviewed by a person unless marked so.",
    ]


def _name(section: RunbookSection) -> str:
    return section.node_label or section.node_key


def _service(section: RunbookSection) -> str:
    """The service, without the node's name where it is called after it: that stands beside it already."""
    return section.integration.replace(f' of "{_name(section)}"', "")


def _first(scenarios: Sequence[FailureScenario]) -> str:
    return scenarios[0].scenario if scenarios else ""


def _address(section: RunbookSection) -> str:
    call = f"{section.operation} at {section.host}" if section.operation and section.host else ""
    key = f"key {section.node_key}, " if section.node_key != _name(section) else ""
    parts = [
        call or section.operation or section.host or section.integration,
        f'with credential "{section.credential}"' if section.credential else "",
        f"({key}type {section.node_type})" if section.node_type else "",
    ]
    return " ".join(part for part in parts if part)
