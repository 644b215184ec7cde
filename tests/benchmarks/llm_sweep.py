"""A sweep with a model that takes 2 s a call, 128 calls at once. Bar: 1.15 x calls x 2 s / 128, plus start-up."""

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from sqlalchemy import text

from runbooks.adapters.database import Database
from runbooks.adapters.exports import export_files, read_exports
from runbooks.adapters.prompt_files import load_prompts
from runbooks.bootstrap import open_writers
from runbooks.core.facts import Facts
from runbooks.core.outgoing import cleaned
from runbooks.core.prompting import CHARACTERS_PER_TOKEN, Limits, Prompter
from runbooks.settings import Settings
from tests.benchmarks.measure import Measured, measure
from tests.benchmarks.processors import Name, Processors, processors
from tests.benchmarks.servers import platform
from tests.benchmarks.slow_model import FULL, Occupancy, SlowModel, slow_model
from tests.benchmarks.table import Figure

WORKFLOWS = 2000
CONCURRENCY = 128
SECONDS = 2.0
BAR = 1.15
EXAMPLES = Path("docs/examples")
WRITTEN = "execution_runbooks, runbook_generations, runbook_drafts, runbook_versions, runbook_coverage_snapshots"


def figures() -> Iterator[Figure]:
    """The time of a sweep against the least that it could take, and the size of prompts."""
    with tempfile.TemporaryDirectory() as folder, platform(WORKFLOWS) as env:
        kept = Path(folder) / "answers"
        with slow_model(0, kept) as quick:
            sweep(env, quick)
            quick.ended()
        server = forget(env["RUNBOOKS_DATABASE_URL"])
        with slow_model(SECONDS, kept) as slow:
            nothing = sweep(env, slow, "--dry-run")
            with processors(named(slow.pid, server)) as used:
                run = sweep(env, slow)
            busy = slow.ended()
    yield from times(run, nothing, busy)
    yield processor_times(used)
    for file in export_files([str(EXAMPLES)]):
        for facts in read_exports(file):
            if isinstance(facts, Facts):
                yield prompt_size(file, facts)


def sweep(env: Mapping[str, str], model: SlowModel, *options: str) -> Measured:
    """Run one with this model."""
    settings = {
        "RUNBOOKS_MODEL": "slow",
        "OPENAI_BASE_URL": model.address,
        "RUNBOOKS_LLM_CONCURRENCY": f"{CONCURRENCY}",
    }
    return measure("sweep", "--json", *options, env={**env, **settings})


def forget(url: str) -> int:
    """Delete what the rehearsal wrote; returns the process id of the database server."""
    database = Database(url)
    with database.begin() as connection:
        connection.execute(text(f"TRUNCATE {WRITTEN} CASCADE"))
        backend = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
        stat = Path(f"/proc/{backend}/stat").read_text()
    database.close()
    return int(stat.rpartition(")")[2].split()[1])


def named(model: int, database: int) -> Name:
    """What the processes of this benchmark are called."""

    def name(pid: int, parent: int, command: str) -> str | None:
        if pid == model:
            return "the model"
        if parent == database:
            return "PostgreSQL"
        if parent == os.getpid() and "prefect server" in command:
            return "the Prefect server"
        if parent == os.getpid() and "runbooks sweep" in command:
            return "the sweep"
        return "its processes for writing" if "runbooks.adapters.writing_process" in command else None

    return name


def times(run: Measured, nothing: Measured, busy: Occupancy) -> Iterator[Figure]:
    """How long it took, and how well the model was used."""
    report = json.loads(run.stdout)
    calls = report["llm"]["calls"]
    least = calls * SECONDS / CONCURRENCY
    took = run.seconds - nothing.seconds
    yield Figure(
        f"a sweep of {WORKFLOWS:,} with a model of {SECONDS:.0f} s a call, {CONCURRENCY} calls at once",
        f"{took:.1f} s beside start-up and search ({nothing.seconds:.1f} s), least possible {least:.1f} s; "
        f"{report['generated']:,} written with {calls:,} calls; {run.cpu_seconds:.1f} s of processor, "
        f"{run.peak_mb:.0f} MB; {report['llm']['prompt_tokens']:,} tokens in, "
        f"{report['llm']['completion_tokens']:,} out",
        f"{took / least:.2f} × the least possible",
        f"≤ {BAR} ×",
    )
    asking = busy.end_s - (busy.first_s or 0)
    yield Figure(
        "the same, how well the model was used",
        f"asked for {asking:.1f} s, with at most {busy.most} requests in flight; fewer than {FULL} while there was "
        f"more to ask: {busy.not_full_s:.1f} s; answers that were not rehearsed: {busy.made_now}",
        f"{asking / least:.2f} × the least possible",
    )


def processor_times(used: Processors) -> Figure:
    """Where the processors' time went, start-up included."""
    by_name = sorted(used.seconds.items(), key=lambda pair: -pair[1])
    total = sum(used.seconds.values())
    return Figure(
        "the same, processor",
        f"{total:.1f} s, {1000 * total / WORKFLOWS:.1f} ms a workflow: "
        + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in by_name),
    )


def prompt_size(file: str, facts: Facts) -> Figure:
    """How long the prompt of a workflow is against its definition."""
    raw = len(json.dumps(json.loads(Path(file).read_text(encoding="utf-8")), separators=(",", ":")))
    runbook = open_writers(Settings(), "catalogue", "benchmark").catalogue.write(facts)
    prompter = Prompter(facts, runbook, prompts=load_prompts(), limits=Limits(), clean=cleaned)
    sent = sum(len(request.prompt.user) for request in prompter.requests())
    return Figure(
        f"prompt for {file}, without the head",
        f"{sent:,} characters, about {sent / CHARACTERS_PER_TOKEN:,.0f} tokens, for {raw:,} of definition",
        f"{sent / raw:.2f} × the definition",
    )
