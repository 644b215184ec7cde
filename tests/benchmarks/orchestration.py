"""What Prefect costs a sweep, against no orchestrator and against a task run for each step of each workflow.

Bars at 2,000 workflows: 60 s, at most 1.3 times the time of plain asyncio beside start-up, and 5 times faster than a
task run for each step. Each style starts from a copy of the same database; of several runs the quickest counts, since
what else the machine does only makes a run slower.
"""

import json
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tests.benchmarks.measure import measure_command
from tests.benchmarks.servers import Servers, servers
from tests.benchmarks.table import Figure, at_most

SIZES = {100: 3, 1_000: 1, 2_000: 2}
"""Workflows → runs of which the quickest counts."""
COMPARED = 2_000
"""The size at which there is also a task run for each step: some 10,000 of them."""
SLOWER, FASTER, SECONDS = 1.3, 5, 60.0
STEPS = 5
QUIET_S = 6.0
"""So long nothing is recorded any more before that counts as the end."""
PATIENCE_S = 60.0
"""So long the end is waited for: the server takes minutes to record ten thousand task runs."""


@dataclass(frozen=True)
class Run:
    """One run of a style, in seconds."""

    start_up: float
    work: float
    processor: float
    exit: float
    """From the end of the work to the end of the process, which sends what it has not yet sent."""
    recorded: float
    """From the end of the work until the server has recorded the last task run, or it is not waited for any more."""
    task_runs: int
    peak_mb: float

    def __str__(self) -> str:
        return f"{self.work:.2f} s ({self.processor:.2f} s of processor)"


def figures() -> Iterator[Figure]:
    """Compare the styles at each size."""
    yield from compared(SIZES)


def compared(sizes: Mapping[int, int]) -> Iterator[Figure]:
    """Compare them at these sizes; the values are the runs of each."""
    with servers() as both:
        for workflows, times in sizes.items():
            both.fill(original(workflows), workflows)
            ours, plain = (quickest(both, workflows, style, times) for style in ("ours", "plain"))
            yield from shares(workflows, ours, plain)
            if workflows == COMPARED:
                yield whole(workflows, ours)
                yield against_steps(both, workflows, ours)


def original(workflows: int) -> str:
    """Name of the database that is copied."""
    return f"original_{workflows}"


def shares(workflows: int, ours: Run, plain: Run) -> Iterator[Figure]:
    """What the orchestrator adds to the work."""
    share = (ours.work - plain.work) / ours.work
    of_processor = (ours.processor - plain.processor) / ours.processor
    yield Figure(
        f"a sweep of {workflows:,} against plain asyncio, both without start-up",
        f"{ours} against {plain}; orchestration is {share:.0%} of the time, {of_processor:.0%} of the processor",
        f"{ours.work / plain.work:.2f} × the time",
        f"≤ {SLOWER} ×" if workflows == COMPARED else "",
    )
    yield Figure(
        f"the same sweep, what lies around it in time ({ours.task_runs} task runs)",
        f"start-up {ours.start_up:.1f} s before; then the process sends its last events within {ours.exit:.1f} s, and "
        f"the server has recorded them {ours.recorded:.1f} s after the end",
    )


def whole(workflows: int, ours: Run) -> Figure:
    """The time of the process, as who waits for it sees it."""
    seconds = ours.start_up + ours.work + ours.exit
    return at_most(SECONDS, seconds, "s", f"the same sweep of {workflows:,}, start-up and end included")


def against_steps(both: Servers, workflows: int, ours: Run) -> Figure:
    """How much faster batches are than a task run for each step of each workflow."""
    steps = run(both, workflows, "task_per_step")
    return Figure(
        f"a sweep of {workflows:,} against a task run for each step and workflow",
        f"{ours} in {ours.task_runs} task runs against {steps} in {STEPS * workflows:,}, of which "
        f"{steps.task_runs:,} are recorded {steps.recorded:.0f} s after the end; "
        f"{ours.peak_mb:.0f} and {steps.peak_mb:.0f} MB",
        f"{steps.work / ours.work:.1f} × faster",
        f"≥ {FASTER} ×",
    )


def quickest(both: Servers, workflows: int, style: str, times: int) -> Run:
    """The best of several runs, each on a fresh copy of the database."""
    return min((run(both, workflows, style) for _ in range(times)), key=lambda one: one.work)


def run(both: Servers, workflows: int, style: str) -> Run:
    """Run one style in a process of its own."""
    before = completed(both.api)
    with both.copy(original(workflows)) as env:
        started = time.time()
        measured = measure_command([sys.executable, "-m", "tests.benchmarks.styles", style], env=env)
        ended = time.time()
        last, after = settled(lambda: completed(both.api)) if style != "plain" else (ended, before)
    told = json.loads(measured.stdout.splitlines()[-1])
    return Run(
        start_up=told["began"] - started,
        work=told["ended"] - told["began"],
        processor=told["processor"],
        exit=ended - told["ended"],
        recorded=max(0.0, last - told["ended"]),
        task_runs=after - before,
        peak_mb=measured.peak_mb,
    )


def settled(count: Callable[[], int]) -> tuple[float, int]:
    """When a count last changed, and what it came to."""
    started = time.time()
    last, found = started, count()
    while time.time() - last < QUIET_S and time.time() - started < PATIENCE_S:
        time.sleep(0.5)
        now = count()
        if now != found:
            last, found = time.time(), now
    return last, found


def completed(api: str) -> int:
    """How many task runs the server knows to be completed."""
    query = json.dumps({"task_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}).encode()
    request = urllib.request.Request(f"{api}/task_runs/count", data=query, headers={"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return int(answer.read())
