"""`runbooks evaluate extraction`: how much of what is external is found, on workflows that somebody judged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.console import say
from runbooks.adapters.exports import export_files, read_exports
from runbooks.core.extraction_score import JudgedNode, Score, score_file, total
from runbooks.core.facts import Facts
from runbooks.errors import DefinitionError, SettingsError

WORST_SHOWN = 15
EXAMPLES_SHOWN = 15


def run_evaluate_extraction(truth: Path, files: list[str]) -> int:
    """Print recall, precision, accuracy of hosts and services, and the worst misses; 1 when a file cannot be read."""
    judged = _read_truth(truth)
    scores: list[Score] = []
    bad = 0
    for file in export_files(files):
        nodes = judged.get(file) or judged.get(Path(file).name)
        if nodes is None:
            say(f"runbooks: {file}: not in {truth}, left out")
            continue
        try:
            scores.append(_score(file, nodes))
        except (DefinitionError, OSError) as error:
            say(f"runbooks: {file}: {error.strerror if isinstance(error, OSError) else error}")
            bad += 1
    if not scores:
        raise SettingsError(
            f"none of the {len(files)} files is both readable and judged in {truth}; see its `file` keys"
        )
    _show(total(scores))
    return 1 if bad else 0


def _score(file: str, judged: list[JudgedNode]) -> Score:
    read = list(read_exports(file))
    for one in read:
        if isinstance(one, DefinitionError):
            raise one
    facts = [one for one in read if isinstance(one, Facts)]
    nodes = {node.key: node for one in facts for node in one.workflow.nodes}
    return score_file(file, judged, nodes, [integration for one in facts for integration in one.integrations])


def _read_truth(path: Path) -> dict[str, list[JudgedNode]]:
    """Judged nodes by file, under the path as written and under its last part."""
    judged: dict[str, list[JudgedNode]] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise SettingsError(f"{path}: {reason}; --truth wants JSON lines with `file` and `nodes`") from error
    for number, line in enumerate(lines, start=1):
        if line.strip():
            file, nodes = _judgement(line, path, number)
            judged[file] = judged[Path(file).name] = nodes
    return judged


def _judgement(line: str, path: Path, number: int) -> tuple[str, list[JudgedNode]]:
    try:
        row = json.loads(line)
        return str(row["file"]), list(_nodes(row["nodes"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f'{path}: line {number} is not of the form {{"file": …, "nodes": [{{"node_key": …, "external": …}}]}}'
        ) from error


def _nodes(rows: list[dict[str, Any]]) -> Iterator[JudgedNode]:
    for row in rows:
        yield JudgedNode(
            node_key=row["node_key"], external=row["external"], service=row.get("service"), host=row.get("host")
        )


def _show(score: Score) -> None:
    nodes = score.found + score.missed
    print(f"files      {score.files}")
    print(f"recall     {_percent(score.recall)}  ({score.found} of {nodes} external nodes found)")
    print(f"precision  {_percent(score.precision)}  ({score.invented} nodes called external that are not)")
    print(f"host       {_percent(score.host_accuracy)}  ({score.hosts_right} of {score.hosts})")
    print(f"service    {_percent(score.service_accuracy)}  ({score.services_right} of {score.services})")
    if score.misses:
        print("\nworst, by what is wrong and node type")
        for what, node_type, count in score.worst(WORST_SHOWN):
            print(f"{count:6}  {what:9} {node_type}")
        print("\nexamples")
        for miss in score.misses[:EXAMPLES_SHOWN]:
            expected = f", expected {miss.expected}" if miss.expected else ""
            found = f", found {miss.found}" if miss.found else ""
            print(f"  {miss.what}: {miss.file}, node {miss.node_key!r} ({miss.node_type}){expected}{found}")


def _percent(share: float | None) -> str:
    return "   n/a" if share is None else f"{share:6.1%}"
