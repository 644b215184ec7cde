"""What all tasks share: which fault a retry can mend, and that results stay in memory.

How long one may take is bounded where it waits: a statement by the database, writing by its own clock. Prefect's
timeout cannot interrupt a thread that waits, and says so with a warning for every task.
"""

from typing import Any, TypedDict

from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from runbooks.adapters.patience import waiting
from runbooks.errors import DatabaseUnreachable
from runbooks.settings import load_settings
from tasks.telling import tell

DELAYS_S: list[float] = [2, 8, 30, *[60] * 45]
"""Between tries; how many of them are made is said by the setting. Prefect takes at most fifty."""


def is_transport_fault(_task: Task[..., Any], run: TaskRun, state: State[Any]) -> bool:
    """Whether the database could not be reached: the one fault of a task that waiting mends, if it is not long.

    The language model's own faults are retried where they happen, so that retries do not multiply.
    """
    if not isinstance(state.data, DatabaseUnreachable) or state.data.waited_for:
        return False
    patience_s = load_settings().database_patience_s
    if run.run_count == 1 and patience_s:
        tell(waiting(state.data, patience_s))
    return sum(DELAYS_S[: run.run_count - 1]) < patience_s


class TaskOptions(TypedDict):
    """Options that every task of ours takes."""

    retries: int
    retry_delay_seconds: list[float]
    retry_jitter_factor: float
    retry_condition_fn: Any
    cache_policy: CachePolicy
    persist_result: bool


OPTIONS = TaskOptions(
    retries=len(DELAYS_S),
    retry_delay_seconds=DELAYS_S,
    retry_jitter_factor=0.5,
    retry_condition_fn=is_transport_fault,
    cache_policy=NO_CACHE,  # hashing a batch costs more than it could save, and its data must not be kept on disk
    persist_result=False,
)
