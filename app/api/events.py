"""Acting on what webhooks told: a Prefect event where a server is configured, else the flow in this process.

With a server the deployments' triggers start the runs. Where it cannot be reached, the flow runs here all the same.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from fastapi.concurrency import run_in_threadpool

from app.api.edge import where
from app.api.metrics import Metrics
from app.api.state import State
from app.api.writing import has_prefect_server, write_incident, write_runbook
from runbooks.adapters.database import Database
from runbooks.adapters.pending_events import Event, Kind, done, failed, renew, take_due
from runbooks.adapters.requests import is_workflow_of
from runbooks.errors import DatabaseUnreachable, ExecutionNotFailed, ExecutionNotFound, RunbooksError

log = logging.getLogger("app.api.events")

LOOK_EVERY_S = 1.0
AT_ONCE = {Kind.FAILED: 4, Kind.PUBLISHED: 2}
"""An incident does not wait for runbooks that a language model is busy with."""
NAMES = {Kind.PUBLISHED: "runbooks.workflow.published", Kind.FAILED: "runbooks.execution.failed"}
RESOURCES = {Kind.PUBLISHED: "runbooks.workflow", Kind.FAILED: "runbooks.execution"}


class Events:
    """The events that this process acts on."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.pools = {kind: ThreadPoolExecutor(count, thread_name_prefix=kind) for kind, count in AT_ONCE.items()}
        self._acting: dict[asyncio.Task[None], Event] = {}

    async def run(self) -> None:
        """Act until stopped; a database that is away is waited for."""
        while not self.state.stopping.is_set():
            await self.state.sleep(LOOK_EVERY_S)
            try:
                for event in await run_in_threadpool(self._take):
                    task = asyncio.create_task(self._act(event))
                    self._acting[task] = event
                    task.add_done_callback(self._acting.pop)
            except DatabaseUnreachable as error:
                log.warning("%s", error)
            except Exception as error:  # the next look may succeed; nobody else would act on the rest
                log.error("%s", where(error))  # noqa: TRY400 - a traceback may quote rows

    async def keep_alive(self) -> None:
        """Keep what is being acted on from being taken by others."""
        for event in list(self._acting.values()):
            await run_in_threadpool(self._in_database, renew, event)

    async def close(self, grace_s: float) -> None:
        """Let what was begun finish."""
        if self._acting:
            await asyncio.wait(list(self._acting), timeout=grace_s)
        for pool in self.pools.values():
            pool.shutdown(wait=False, cancel_futures=True)

    def _take(self) -> list[Event]:
        taken: list[Event] = []
        acting = [event.kind for event in self._acting.values()]
        with self.state.database.begin() as connection:
            for kind, most in AT_ONCE.items():
                free = most - acting.count(kind)
                taken += take_due(connection, kind, limit=free) if free > 0 else []
        return taken

    async def _act(self, event: Event) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self.pools[event.kind], act, event, self.state.database, self.state.metrics)
        except DatabaseUnreachable as error:
            log.warning("%s %s waits: %s", event.kind, event.subject, error)
            await self._finish(event, failed)
        except RunbooksError as error:
            log.warning("%s %s: %s", event.kind, event.subject, error)
            # The platform may tell of an execution before it has committed it; the others would end the same way.
            await self._finish(event, failed if isinstance(error, ExecutionNotFound) else done)
        except Exception as error:
            log.error("%s %s: %s", event.kind, event.subject, where(error))  # noqa: TRY400 - as above
            await self._finish(event, failed)
        else:
            await self._finish(event, done)
        self.state.wake()

    async def _finish(self, event: Event, how: Callable[..., object]) -> None:
        try:
            await run_in_threadpool(self._in_database, how, event)
        except RunbooksError as error:  # its lease ends, and somebody takes it again
            log.warning("%s %s could not be finished: %s", event.kind, event.subject, error)

    def _in_database(self, how: Callable[..., object], event: Event) -> None:
        with self.state.database.begin() as connection:
            how(connection, event)


def act(event: Event, database: Database, metrics: Metrics) -> None:
    """Hand the event to Prefect, or do here what it asks for."""
    if event.kind is Kind.PUBLISHED and not _is_known(event, database):
        log.warning("%s %s: no active workflow of that workspace", event.kind, event.subject)
        return
    if has_prefect_server():
        try:
            emit(event)
        except Exception as error:
            log.warning("Prefect took no event (%s); running here", where(error))
        else:
            metrics.events.labels(NAMES[event.kind]).inc()
            return
    try:
        if event.kind is Kind.PUBLISHED:
            write_runbook(event.subject, include_historical_data=True, full=False)
        else:
            write_incident(event.subject)
    except ExecutionNotFailed:  # of a replay, say: nothing is wrong with the run
        metrics.runs.labels(event.kind.value, "skipped").inc()
        raise
    except Exception:
        metrics.runs.labels(event.kind.value, "failed").inc()
        raise
    metrics.runs.labels(event.kind.value, "completed").inc()
    log.info("%s %s: done", event.kind, event.subject)


def emit(event: Event) -> None:
    """Send the event and wait until the server has confirmed it."""
    from prefect.events import get_events_client
    from prefect.events.schemas.events import Event as PrefectEvent

    sent = PrefectEvent.model_validate(
        {
            "occurred": datetime.now(UTC),
            "event": NAMES[event.kind],
            "resource": {"prefect.resource.id": f"{RESOURCES[event.kind]}.{event.subject}"},
            "payload": dict(event.payload),
        }
    )

    async def send() -> None:
        async with get_events_client(reconnection_attempts=1, checkpoint_every=1) as client:
            await client.emit(sent)

    asyncio.run(send())


def _is_known(event: Event, database: Database) -> bool:
    with database.begin() as connection:
        return is_workflow_of(
            connection, event.payload["workspace_id"], event.payload["workflow_id"], schema=database.schema
        )
