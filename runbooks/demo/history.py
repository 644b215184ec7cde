"""Thirty days of the demo's history, from a seed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from runbooks.demo.company import Company, DemoWorkflow
from runbooks.demo.engine import Engine, Order, Plan, Recording, plan_of
from runbooks.demo.reactive import reactive_runbooks
from runbooks.demo.replay import replayed
from runbooks.demo.rollup import daily_metrics
from runbooks.demo.rows import Attempt, DailyMetric, Execution, ExecutionNode, ReactiveRunbook, new_id
from runbooks.demo.stories import DAYS
from runbooks.demo.traffic import run_times
from runbooks.demo.weather import Weather

CANCELLED = 0.004
"""Share of the executions that somebody stops."""
REPLAYED = 0.05
"""Share of the failed executions that somebody replays."""
DOUBLED = 0.01
"""Share of the executions whose attempts arrive twice."""
PAUSE = timedelta(seconds=40)
"""Between two executions that somebody starts again by hand."""
MODES = {"webhook": "webhook", "schedule": "schedule", "event": "webhook"}


@dataclass(frozen=True)
class History:
    """Rows of the platform's history tables."""

    executions: Sequence[Execution]
    nodes: Sequence[ExecutionNode]
    attempts: Sequence[Attempt]
    daily: Sequence[DailyMetric]
    runbooks: Sequence[ReactiveRunbook]


def make_history(company: Company, *, now: datetime, seed: int) -> History:
    """Make up what happened in the thirty days before `now`; the same for the same `now` and seed."""
    random = Random(seed)  # noqa: S311 - a story, not a secret
    engine = Engine(company.workspace.id, Weather(now, random), random)
    recordings: list[Recording] = []
    for demo in company.workflows:
        if demo.runs:
            recordings += _recorded(engine, demo, now)
    recordings += list(_replays(recordings, now, random))
    recordings.sort(key=lambda recording: recording.execution.started_at)
    attempts = list(_ingested(recordings, random))
    people = [user.id for user in company.users]
    return History(
        executions=[recording.execution for recording in recordings],
        nodes=[node for recording in recordings for node in recording.nodes],
        attempts=attempts,
        daily=list(daily_metrics(attempts, now=now)),
        runbooks=list(reactive_runbooks(recordings, now=now, people=people, random=random)),
    )


def _recorded(engine: Engine, demo: DemoWorkflow, now: datetime) -> list[Recording]:
    """All executions of one workflow, those that were started again included."""
    plan = plan_of(demo)
    start = (now - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    mode = MODES.get(demo.workflow.trigger_type, "manual")
    recordings = [
        engine.run(plan, Order(demo, at, mode, cancelled=engine.random.random() < CANCELLED))
        for at in run_times(demo.traffic, start=start, end=now - timedelta(minutes=2), random=engine.random)
    ]
    finished = [one for one in recordings if one.execution.finished_at is None or one.execution.finished_at < now]
    return finished + list(_started_again(engine, plan, demo, finished, now))


def _started_again(
    engine: Engine, plan: Plan, demo: DemoWorkflow, recordings: Iterable[Recording], now: datetime
) -> Iterator[Recording]:
    """When a story is over, people execute what it had stopped once more; after a drift, each by itself."""
    free: dict[datetime, datetime] = {}
    for recording in recordings:
        again = _again_at(engine.weather, demo, recording)
        if again is None:
            continue
        at = free.get(again, again)
        free[again] = at + PAUSE
        retry = engine.run(plan, Order(demo, at, "retry", calm=True, parent=recording.execution))
        if retry.execution.finished_at is None or retry.execution.finished_at < now:
            yield retry


def _again_at(weather: Weather, demo: DemoWorkflow, recording: Recording) -> datetime | None:
    execution = recording.execution
    if execution.status != "failed" or execution.finished_at is None:
        return None
    place = (demo.file, next(node.node_id for node in reversed(recording.nodes) if node.status == "failed"))
    for story in weather.stories.get(place, ()):
        if story.rerun and story.covers(execution.started_at):
            return story.end + timedelta(minutes=6)
    drift = weather.drifts.get(place)
    return execution.finished_at + drift.rerun_after if drift and drift.rerun_after else None


def _replays(recordings: Sequence[Recording], now: datetime, random: Random) -> Iterator[Recording]:
    for recording in recordings:
        at = recording.execution.started_at + timedelta(hours=random.uniform(1, 30))
        if recording.attempts and recording.execution.status == "failed" and at < now and random.random() < REPLAYED:
            yield replayed(recording, at, random)


def _ingested(recordings: Iterable[Recording], random: Random) -> Iterator[Attempt]:
    """The attempts as the platform stored them: some arrive with the progress callback and again at the end."""
    for recording in recordings:
        yield from recording.attempts
        if random.random() < DOUBLED:
            for attempt in recording.attempts:
                yield attempt._replace(id=new_id(random))
