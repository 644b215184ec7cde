"""A sweep with a model that takes 2 s a call, 128 calls at once. Bar: 1.15 x calls x 2 s / 128, plus start-up."""

import json
from pathlib import Path

from runbooks.adapters.exports import export_files, read_exports
from runbooks.adapters.llm_writer import cleaned
from runbooks.adapters.prompt_files import load_prompts
from runbooks.bootstrap import open_writers
from runbooks.core.facts import Facts
from runbooks.core.prompting import CHARACTERS_PER_TOKEN, Limits, Prompter
from runbooks.settings import Settings
from tests.benchmarks.measure import measure
from tests.benchmarks.servers import platform
from tests.benchmarks.slow_model import slow_model

WORKFLOWS = 2000
CONCURRENCY = 128
SECONDS = 2.0
EXAMPLES = Path("docs/examples")


def main() -> None:
    """Print the time of a sweep against the least that it could take, and the size of prompts."""
    with platform(WORKFLOWS) as env, slow_model(SECONDS) as address:
        model = {"RUNBOOKS_MODEL": "slow", "OPENAI_BASE_URL": address, "RUNBOOKS_LLM_CONCURRENCY": f"{CONCURRENCY}"}
        nothing = measure("sweep", "--dry-run", "--json", env=env | model)
        run = measure("sweep", "--json", env=env | model)
    report = json.loads(run.stdout)
    calls = report["llm"]["calls"]
    least = calls * SECONDS / CONCURRENCY
    took = run.seconds - nothing.seconds
    print(f"{report['generated']} written with {calls} calls: {run}; start-up and search alone {nothing.seconds:.1f} s")
    print(f"{took:.1f} s beside that, {took / least:.2f} x the least possible {least:.1f} s")
    print(f"tokens in {report['llm']['prompt_tokens']}, out {report['llm']['completion_tokens']}")
    for file in export_files([str(EXAMPLES)]):
        for facts in read_exports(file):
            if isinstance(facts, Facts):
                print_prompt_size(file, facts)


def print_prompt_size(file: str, facts: Facts) -> None:
    """Print how long the prompt of a workflow is against its definition."""
    raw = len(json.dumps(json.loads(Path(file).read_text(encoding="utf-8")), separators=(",", ":")))
    runbook = open_writers(Settings(), "catalogue", "benchmark").catalogue.write(facts)
    prompter = Prompter(facts, runbook, prompts=load_prompts(), limits=Limits(), clean=cleaned)
    sent = sum(len(request.prompt.user) for request in prompter.requests())
    print(f"{file}: {raw} characters; prompt {sent}, about {sent / CHARACTERS_PER_TOKEN:.0f} tokens, without the head")


if __name__ == "__main__":
    main()
