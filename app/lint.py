"""`runbooks lint FILE…`: checks on any runbook in Markdown, as text, JSON or SARIF."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.console import say
from runbooks import __version__
from runbooks.core.lint import CHECKS, Problem, lint
from runbooks.errors import SettingsError

STDIN = "-"


def run_lint(files: list[str], *, output: str) -> int:
    """Print what was found; exit 1 when there are errors or a file could not be read."""
    if not files:
        raise SettingsError("name Markdown files, folders of them, or - for standard input")
    found: dict[str, list[Problem]] = {}
    bad = 0
    for file in _markdown_files(files):
        try:
            found[file] = lint(_read(file))
        except (OSError, UnicodeDecodeError) as error:
            say(f"runbooks: {file}: {error.strerror if isinstance(error, OSError) else 'it is no UTF-8 text'}")
            bad += 1
    if not found:
        raise SettingsError("no Markdown file could be read, so nothing was checked")
    {"text": _print_text, "json": _print_json, "sarif": _print_sarif}[output](found)
    errors = any(problem.level == "error" for problems in found.values() for problem in problems)
    return 1 if bad or errors else 0


def _markdown_files(names: list[str]) -> Iterator[str]:
    for name in names:
        folder = Path(name)
        if name != STDIN and folder.is_dir():
            yield from sorted(str(file) for file in folder.rglob("*.md") if file.is_file())
        else:
            yield name


def _read(file: str) -> str:
    raw = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
    return raw.decode("utf-8-sig")


def _print_text(found: dict[str, list[Problem]]) -> None:
    for file, problems in found.items():
        for one in problems:
            print(f"{file}:{one.line}: {one.level}: {one.message} [{one.check}]")
    passed = sum(not problems for problems in found.values())
    print(f"{len(found)} checked, {passed} without a finding; {_shares(found)}", file=sys.stderr)


def _shares(found: dict[str, list[Problem]]) -> str:
    """How many pages pass each check, the worst first."""
    failed = {name: sum(any(one.check == name for one in problems) for problems in found.values()) for name in CHECKS}
    worst = sorted((name for name in failed if failed[name]), key=lambda name: -failed[name])
    return ", ".join(f"{name} {1 - failed[name] / len(found):.0%}" for name in worst) or "all checks pass everywhere"


def _print_json(found: dict[str, list[Problem]]) -> None:
    print(json.dumps([_page(file, problems) for file, problems in found.items()], indent=2, ensure_ascii=False))


def _page(file: str, problems: list[Problem]) -> dict[str, Any]:
    failed = {one.check for one in problems}
    return {
        "file": file,
        "score": round(1 - len(failed) / len(CHECKS), 4),
        "checks": {name: name not in failed for name in CHECKS},
        "findings": [vars(one) for one in problems],
    }


def _print_sarif(found: dict[str, list[Problem]]) -> None:
    rules = [{"id": name, "defaultConfiguration": {"level": level}} for name, (level, _) in CHECKS.items()]
    results = [_result(file, one) for file, problems in found.items() for one in problems]
    driver = {"name": "workflow-runbooks", "version": __version__, "rules": rules}
    document = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


def _result(file: str, one: Problem) -> dict[str, Any]:
    place = {"artifactLocation": {"uri": file}, "region": {"startLine": one.line}}
    return {
        "ruleId": one.check,
        "level": one.level,
        "message": {"text": one.message},
        "locations": [{"physicalLocation": place}],
    }
