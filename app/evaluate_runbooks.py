"""`runbooks evaluate runbooks FILES…`: how good a writer's runbooks are."""

import asyncio
import time
from collections.abc import Iterator

from rich.table import Table

from app.console import results, say
from runbooks.adapters.exports import export_files, read_exports
from runbooks.adapters.llm_writer import LLMSession, Written
from runbooks.adapters.writers import Writers
from runbooks.bootstrap import open_writers
from runbooks.core.evaluation import Evaluation, RunbookScore, evaluation_of, score
from runbooks.core.facts import Facts
from runbooks.errors import DefinitionError, SettingsError
from runbooks.settings import WriterChoice, load_settings


def run_evaluate_runbooks(files: list[str], *, writer: WriterChoice, as_json: bool) -> int:
    """Write, score, print; exit 1 when a runbook claims what nobody knows, or a file could not be read."""
    reader = _Reader(files)
    cases = list(reader)
    if not cases:
        raise SettingsError("no workflow could be read, so there is nothing to evaluate; name exported workflow files")
    writers = open_writers(load_settings(), writer, "evaluation")
    scores = asyncio.run(_scores(writers, cases))
    result = evaluation_of(writers.llm.llm.model if writers.llm else "catalogue", scores)
    if as_json:
        print(result.model_dump_json(indent=2))
    else:
        _print(result)
    return 1 if reader.bad or result.unsupported_claims else 0


class _Reader:
    """The workflows of the files; what cannot be read is reported and counted."""

    def __init__(self, files: list[str]) -> None:
        self.files = files
        self.bad = 0

    def __iter__(self) -> Iterator[Facts]:
        for file in export_files(self.files):
            try:
                for read in read_exports(file):
                    if isinstance(read, DefinitionError):
                        raise read
                    yield read
            except (DefinitionError, OSError) as error:
                say(f"runbooks: {file}: {error.strerror if isinstance(error, OSError) else error}")
                self.bad += 1


async def _scores(writers: Writers, cases: list[Facts]) -> list[RunbookScore]:
    if writers.llm is None:
        return [await _scored(writers, facts, None) for facts in cases]
    async with writers.llm.session() as session:
        return list(await asyncio.gather(*(_scored(writers, facts, session) for facts in cases)))


async def _scored(writers: Writers, facts: Facts, session: LLMSession | None) -> RunbookScore:
    started = time.perf_counter()
    base = writers.catalogue.write(facts)
    written = await session.write(facts) if session else Written(base)
    seconds = time.perf_counter() - started
    figures = {
        "rejected": dict(written.failed_checks),
        "cost_usd": written.cost_usd,
        "tokens": written.tokens.total,
        "seconds": round(seconds, 3),
        "fallback_reason": written.fallback_reason,
    }
    return score(facts, base, written.runbook).model_copy(update=figures)


def _print(result: Evaluation) -> None:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_row("writer", result.writer)
    table.add_row("workflows", f"{result.workflows}")
    table.add_row("scenarios", f"{result.scenarios}, {result.scenarios_by_llm} by the model")
    for name, value in result.averages.items():
        table.add_row(name, f"{value:.1%}")
    table.add_row("unsupported claims", f"{result.unsupported_claims}")
    table.add_row("failed checks", _counts(result.failed_checks))
    table.add_row("rejected before storing", _counts(result.rejected))
    table.add_row("catalogue stood in", _counts(result.fallbacks))
    table.add_row("tokens", f"{result.tokens:,}")
    table.add_row("cost", "not known" if result.cost_usd is None else f"${result.cost_usd:,.4f}")
    table.add_row("seconds a workflow", f"{result.seconds:.2f}")
    results().print(table)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
