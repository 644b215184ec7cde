"""`runbooks preview`: exported files to runbooks, with no database and no Prefect."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.console import say
from app.coverage import show_markdown
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.writers import Writers, write_unstored
from runbooks.bootstrap import open_writers
from runbooks.core.batch import initial_facts
from runbooks.core.definition import parse_definition
from runbooks.core.facts import Facts
from runbooks.core.markdown import to_markdown
from runbooks.core.runbook import Runbook
from runbooks.errors import DefinitionError, SettingsError
from runbooks.settings import WriterChoice, load_settings

SHOWN = ("node_key", "node_type", "service", "kind", "operation", "host")


def run_preview(files: list[str], *, output: str, out: Path | None, writer: WriterChoice) -> int:
    """Print or write the runbooks; files that cannot be read are reported, the others still come."""
    if not files:
        raise SettingsError("name at least one exported workflow file, or - for standard input")
    writers = open_writers(load_settings(), writer, "preview")
    if out is not None:
        _make_folder(out)
    read, bad = _read_all(files)
    results = asyncio.run(_write(writers, [facts for _, facts in read]))
    previews = [(file, facts, runbook) for (file, facts), runbook in zip(read, results, strict=True)]
    if out is not None:
        _write_files(previews, out, output)
    elif output == "json":
        print(json.dumps([_as_json(*preview) for preview in previews], indent=2, ensure_ascii=False))
    else:
        for _, _, runbook in previews:
            show_markdown(to_markdown(runbook))
    return 1 if bad else 0


async def _write(writers: Writers, facts: list[Facts]) -> list[Runbook]:
    return await write_unstored(writers, facts)


def _read_all(files: list[str]) -> tuple[list[tuple[str, Facts]], int]:
    read: list[tuple[str, Facts]] = []
    bad = 0
    for file in files:
        try:
            read.extend((file, facts) for facts in read_workflows(file))
        except (DefinitionError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            say(f"runbooks: {file}: {reason}")
            bad += 1
    return read, bad


def read_workflows(file: str) -> list[Facts]:
    """The workflows of one exported file; raise DefinitionError or OSError for a bad one."""
    return [_facts(document, file, position) for position, document in enumerate(_documents(file))]


def _documents(file: str) -> Iterator[Any]:
    raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    try:
        content = json.loads(raw.decode("utf-8-sig"), strict=False)
    except (ValueError, RecursionError) as error:
        raise DefinitionError(
            f"no readable JSON: {error}" if isinstance(error, ValueError) else "nested too deeply"
        ) from error
    yield from content if isinstance(content, list) else [content]


def _facts(document: Any, file: str, position: int) -> Facts:
    workflow = parse_definition(document)
    if not workflow.name:
        workflow = workflow.model_copy(update={"name": Path(file).stem if file != "-" else f"workflow {position + 1}"})
    return initial_facts(workflow, load_node_knowledge())


def _as_json(file: str, facts: Facts, runbook: Runbook) -> dict[str, Any]:
    return {
        "file": file,
        "workflow": {"id": facts.workflow.id, "name": facts.workflow.name},
        "integrations": [{name: getattr(integration, name) for name in SHOWN} for integration in facts.integrations],
        "runbook": runbook.model_dump(mode="json"),
    }


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"--out {out}: {error.strerror}; name a folder that can be written") from error


def _write_files(previews: list[tuple[str, Facts, Runbook]], out: Path, output: str) -> None:
    taken: set[str] = set()
    for file, facts, runbook in previews:
        stem = Path(file).stem if file != "-" else "stdin"
        name, count = stem, 1
        while name in taken:
            count += 1
            name = f"{stem}-{count}"
        taken.add(name)
        if output == "json":
            text = json.dumps(_as_json(file, facts, runbook), indent=2, ensure_ascii=False) + "\n"
        else:
            text = to_markdown(runbook)
        path = out / f"{name}.{'json' if output == 'json' else 'md'}"
        path.write_text(text, encoding="utf-8")
        say(f"{path}")
