"""A sweep with a model that takes 2 s a call, 128 calls at once. Bar: 1.15 x calls x 2 s / 128, plus start-up."""

import json
import os
import tempfile
from collections.abc import Mapping
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

WORKFLOWS = 2000
CONCURRENCY = 128
SECONDS = 2.0
BAR = 1.15
EXAMPLES = Path("docs/examples")
WRITTEN = "execution_runbooks, runbook_generations, runbook_drafts, runbook_versions, runbook_coverage_snapshots"


def main() -> None:
    """Print the time of a sweep against the least that it could take, and the size of prompts."""
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
    print_figures(run, nothing, busy)
    print_processors(used)
    for file in export_files([str(EXAMPLES)]):
        for facts in read_exports(file):
            if isinstance(facts, Facts):
                print_prompt_size(file, facts)


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


def print_figures(run: Measured, nothing: Measured, busy: Occupancy) -> None:
    """Print how long it took, and how well the model was used."""
    report = json.loads(run.stdout)
    calls = report["llm"]["calls"]
    least = calls * SECONDS / CONCURRENCY
    took = run.seconds - nothing.seconds
    print(f"{report['generated']} written with {calls} calls: {run}; start-up and search alone {nothing.seconds:.1f} s")
    print(f"{took:.1f} s beside that, {took / least:.2f} x the least possible {least:.1f} s; the bar is {BAR} x")
    print(f"tokens in {report['llm']['prompt_tokens']}, out {report['llm']['completion_tokens']}")
    asking = busy.end_s - (busy.first_s or 0)
    print(
        f"the model was asked for {asking:.1f} s ({asking / least:.2f} x), with at most {busy.most} requests in "
        f"flight; fewer than {FULL} while there was more to ask: {busy.not_full_s:.1f} s; "
        f"answers that were not rehearsed: {busy.made_now}"
    )


def print_processors(used: Processors) -> None:
    """Print where the processors' time went, start-up included."""
    for name, seconds in sorted(used.seconds.items(), key=lambda pair: -pair[1]):
        print(f"processor of {name}: {seconds:.1f} s, {1000 * seconds / WORKFLOWS:.1f} ms a workflow")
    total = sum(used.seconds.values())
    print(f"processor of all: {total:.1f} s, {1000 * total / WORKFLOWS:.1f} ms a workflow")


def print_prompt_size(file: str, facts: Facts) -> None:
    """Print how long the prompt of a workflow is against its definition."""
    raw = len(json.dumps(json.loads(Path(file).read_text(encoding="utf-8")), separators=(",", ":")))
    runbook = open_writers(Settings(), "catalogue", "benchmark").catalogue.write(facts)
    prompter = Prompter(facts, runbook, prompts=load_prompts(), limits=Limits(), clean=cleaned)
    sent = sum(len(request.prompt.user) for request in prompter.requests())
    print(f"{file}: {raw} characters; prompt {sent}, about {sent / CHARACTERS_PER_TOKEN:.0f} tokens, without the head")


if __name__ == "__main__":
    main()
