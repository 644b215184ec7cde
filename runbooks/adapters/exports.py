"""Exported workflow files: where they are, and what is in them."""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.batch import initial_facts
from runbooks.core.definition import parse_definition
from runbooks.core.facts import Facts
from runbooks.errors import DefinitionError

STDIN = "-"


def export_files(names: Iterable[str]) -> Iterator[str]:
    """The files themselves: a folder stands for the `.json` files in it and below, in order of their names."""
    for name in names:
        folder = Path(name)
        if name != STDIN and folder.is_dir():
            yield from sorted(str(file) for file in folder.rglob("*.json") if file.is_file())
        else:
            yield name


def read_exports(file: str) -> Iterator[Facts | DefinitionError]:
    """Each workflow of a file that holds one or a list of them, or why it cannot be read.

    Raises:
        DefinitionError: the file as a whole is no JSON.
        OSError: it cannot be opened.
    """
    content = _parsed(sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes())
    documents = content if isinstance(content, list) else [content]
    for number, document in enumerate(documents, start=1):
        try:
            yield _facts(document, f"workflow {number}" if file == STDIN else Path(file).stem)
        except DefinitionError as error:
            yield DefinitionError(f"entry {number}: {error}") if isinstance(content, list) else error


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw, strict=False)
    except UnicodeDecodeError as error:
        raise DefinitionError("no text: neither UTF-8 nor UTF-16 nor UTF-32") from error
    except ValueError as error:
        raise DefinitionError(f"no readable JSON: {error}") from error
    except RecursionError as error:
        raise DefinitionError("nested too deeply") from error


def _facts(document: Any, name: str) -> Facts:
    workflow = parse_definition(document)
    if not workflow.name:
        workflow = workflow.model_copy(update={"name": name})
    return initial_facts(workflow, load_node_knowledge()).model_copy(update={"from_file": True})
