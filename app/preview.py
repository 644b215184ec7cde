"""`runbooks preview`: exported files to runbooks, with no database and no Prefect."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from app.console import say
from app.coverage import show_markdown
from runbooks.adapters.exports import export_files, read_exports
from runbooks.adapters.writers import Writers, write_unstored
from runbooks.bootstrap import open_writers
from runbooks.core.facts import Facts
from runbooks.core.markdown import to_markdown
from runbooks.core.runbook import Runbook
from runbooks.errors import DefinitionError, SettingsError
from runbooks.settings import WriterChoice, load_settings

PORTION = 200
Preview = tuple[str, Facts, Runbook]
"""The file as given, what is known of its workflow, and the runbook."""
SHOWN = ("node_key", "node_type", "service", "kind", "operation", "host")


def run_preview(files: list[str], *, output: str, out: Path | None, writer: WriterChoice) -> int:
    """Print or write the runbooks; what cannot be read is reported, the others still come."""
    if not files:
        raise SettingsError("name exported workflow files, folders of them, or - for standard input")
    writers = open_writers(load_settings(), writer, "preview")
    if out is not None:
        _make_folder(out)
    reader = _Reader(files)
    previews = _previews(writers, reader)
    if out is not None:
        _write_files(previews, out, output)
    elif output == "json":
        _print_json(previews)
    else:
        for _, _, runbook in previews:
            show_markdown(to_markdown(runbook))
    return 1 if reader.bad else 0


class _Reader:
    """Reads the files one after another, reports what is bad, and counts it."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        self.bad = 0

    def __iter__(self) -> Iterator[tuple[str, Facts]]:
        for file in export_files(self.files):
            try:
                for read in read_exports(file):
                    if isinstance(read, DefinitionError):
                        self._report(file, read)
                    else:
                        yield file, read
            except (DefinitionError, OSError) as error:
                self._report(file, error)

    def _report(self, file: str, error: DefinitionError | OSError) -> None:
        say(f"runbooks: {file}: {error.strerror if isinstance(error, OSError) else error}")
        self.bad += 1


def _previews(writers: Writers, read: Iterable[tuple[str, Facts]]) -> Iterator[Preview]:
    """Write in portions: a language model is asked for many at once, and thousands of files need little memory."""
    rest = iter(read)
    while portion := list(islice(rest, PORTION)):
        runbooks = asyncio.run(_write(writers, [facts for _, facts in portion]))
        for (file, facts), runbook in zip(portion, runbooks, strict=True):
            yield file, facts, runbook


async def _write(writers: Writers, facts: list[Facts]) -> list[Runbook]:
    return await write_unstored(writers, facts)


def _print_json(previews: Iterable[Preview]) -> None:
    """A list, printed as it grows."""
    before = "["
    for preview in previews:
        print(f"{before}\n{json.dumps(_as_json(*preview), indent=2, ensure_ascii=False)}", end="")
        before = ","
    print("[]" if before == "[" else "\n]")


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


def _write_files(previews: Iterable[Preview], out: Path, output: str) -> None:
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
