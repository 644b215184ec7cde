"""Requests for runbooks under way in this process: equal ones join, a few are written at once, the rest waits.

All bookkeeping happens in the event loop's thread; other processes are met in the database (see `adapters.requests`).
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool

from app.api.edge import where
from app.api.errors import SERVER_ERROR, ApiError
from app.api.metrics import Metrics
from app.api.writing import write_runbook
from runbooks.adapters.database import Database
from runbooks.adapters.requests import (
    ABANDONED,
    Asked,
    Outcome,
    finish_request,
    keep_alive,
    open_request,
    read_request,
)
from runbooks.errors import (
    DatabaseUnreachable,
    DefinitionError,
    RunbookNotFound,
    RunbooksError,
    WorkflowNotFound,
)

log = logging.getLogger("app.api.runs")

LOOK_EVERY_S = 0.5
"""How often a request that another process works on is looked at."""
BUSY_RETRY_S = 30
STATUSES: tuple[tuple[type[RunbooksError], int], ...] = (
    (WorkflowNotFound, 404),
    (RunbookNotFound, 404),
    (DefinitionError, 422),
    (DatabaseUnreachable, 503),
)


@dataclass(eq=False)
class Run:
    """A request under way."""

    asked: Asked
    id: "asyncio.Future[str]"
    """Known when it is in the database."""
    outcome: "asyncio.Task[Outcome]" = field(init=False)


class Runs:
    """The requests of one process."""

    def __init__(self, database: Callable[[], Database], metrics: Metrics, *, at_once: int, queue: int) -> None:
        self.database = database
        self.metrics = metrics
        self.limit = at_once + queue
        self.pool = ThreadPoolExecutor(at_once, thread_name_prefix="writer")
        self._running: dict[Asked, Run] = {}
        self._led: set[str] = set()

    def join(self, asked: Asked) -> Run:
        """Begin to write the runbook, or join whoever asked for the same."""
        run = self._running.get(asked)
        if run is None:
            if self.busy >= self.limit:
                raise ApiError(
                    503, "Too many runbooks are asked for just now.", headers={"Retry-After": str(BUSY_RETRY_S)}
                )
            run = Run(asked, asyncio.get_running_loop().create_future())
            run.outcome = asyncio.create_task(self._work(run))
            run.outcome.add_done_callback(_seen)
            self._running[asked] = run
        return run

    @property
    def busy(self) -> int:
        """How many requests are under way in this process."""
        return len(self._running)

    async def keep_alive(self) -> None:
        """Show other processes that this one still works on its requests."""
        if self._led:
            await run_in_threadpool(self._in_database, keep_alive, list(self._led))

    async def close(self, grace_s: float) -> None:
        """Let running requests finish; those that still wait are given up, so that nobody waits for them."""
        self.pool.shutdown(wait=False, cancel_futures=True)
        if self._running:
            await asyncio.wait([run.outcome for run in self._running.values()], timeout=grace_s)

    async def _work(self, run: Run) -> Outcome:
        try:
            while True:
                request_id, mine = await run_in_threadpool(self._open, run.asked)
                if not run.id.done():
                    run.id.set_result(request_id)
                outcome = await (self._lead(request_id, run.asked) if mine else self._follow(request_id))
                if mine or outcome.message != ABANDONED:
                    return outcome
        except BaseException as error:
            if not run.id.done():
                run.id.set_exception(error)
                run.id.exception()  # whoever waits gets it from the task as well
            raise
        finally:
            del self._running[run.asked]

    def _open(self, asked: Asked) -> tuple[str, bool]:
        database = self.database()
        with database.begin() as connection:
            return open_request(connection, asked, schema=database.schema)

    async def _lead(self, request_id: str, asked: Asked) -> Outcome:
        self._led.add(request_id)
        try:
            loop = asyncio.get_running_loop()
            outcome = await loop.run_in_executor(self.pool, _write, asked)
        except (asyncio.CancelledError, RuntimeError):  # given up, or the pool takes no more
            outcome = Outcome(503, message="The server is being stopped; ask again.")
        self.metrics.runs.labels("workflow-published", "completed" if outcome.status == 200 else "failed").inc()
        try:
            await run_in_threadpool(self._in_database, finish_request, request_id, outcome)
        except RunbooksError as error:  # whoever waits in this process still gets the result
            log.warning("request %s could not be marked as finished: %s", request_id, error)
        finally:
            self._led.discard(request_id)
        return outcome

    async def _follow(self, request_id: str) -> Outcome:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            outcome = await run_in_threadpool(self._look, request_id)
            if outcome is not None:
                return outcome

    def _look(self, request_id: str) -> Outcome | None:
        database = self.database()
        with database.begin() as connection:
            row = read_request(connection, request_id, schema=database.schema)
        return row.outcome if row is not None else Outcome(503, message=ABANDONED)

    def _in_database(self, act: Callable[..., object], *values: object) -> None:
        with self.database().begin() as connection:
            act(connection, *values)


def _write(asked: Asked) -> Outcome:
    try:
        runbook = write_runbook(asked.workflow_id, include_historical_data=asked.include_historical_data, full=True)
    except RunbooksError as error:
        log.warning("workflow %s got no runbook: %s", asked.workflow_id, error)
        for kind, status in STATUSES:
            if isinstance(error, kind):
                return Outcome(status, message=_told(error, status))
        return Outcome(500, message=SERVER_ERROR)
    except Exception as error:  # reported here; the log has no rows of the database in it
        log.error("workflow %s got no runbook: %s", asked.workflow_id, where(error))  # noqa: TRY400 - as said
        return Outcome(500, message=SERVER_ERROR)
    return Outcome(200, result=f'{{"runbook":{runbook.model_dump_json()}}}')


def _told(error: RunbooksError, status: int) -> str:
    return {404: "Not found.", 503: "The database cannot be reached just now."}.get(status, str(error))


def _seen(task: "asyncio.Task[Outcome]") -> None:
    """Nobody may be waiting for it any more."""
    if not task.cancelled():
        task.exception()
