"""A sweep in several flow runs: Prefect spreads them over the work pool's workers; the sweep waits and adds up."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from math import ceil
from typing import Annotated, cast
from uuid import UUID

from httpx import HTTPError
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    ArtifactFilter,
    ArtifactFilterFlowRunId,
    ArtifactFilterKey,
    FlowRunFilter,
    FlowRunFilterId,
)
from prefect.client.schemas.objects import FlowRun
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.settings import get_current_settings
from prefect.states import Cancelling
from pydantic import Field

from flows.progress import Progress
from runbooks.core.batch import Candidate, Failed
from runbooks.core.report import BatchOutcome, lost_batch
from runbooks.core.shard import Shard, split
from runbooks.errors import SettingsError
from runbooks.settings import load_settings
from tasks.batch import Orders
from tasks.fetch import find_changed_workflows
from tasks.telling import tell

NAME = "coverage-sweep-shard"
RESULT = "runbook-sweep-shard"
"""Key of the artifact in which a shard tells what became of it: the server passes on no result of another run."""
POLL_S = 2.0
STALLED_S = 120.0
"""A shard that has not started by then waits for a worker."""

Shards = Annotated[int, Field(ge=1, le=100)]
Parts = Mapping[Shard, list[Candidate]]


@dataclass(frozen=True)
class Spread:
    """Over how many runs a sweep is spread at most, and of which workspace it is."""

    shards: int
    workspace_id: str | None

    def parts(self, changed: list[Candidate]) -> Parts:
        """What each shard takes; no more shards than batches, since a run takes seconds to start."""
        return split(changed, max(1, min(self.shards, ceil(len(changed) / load_settings().batch_size))))


@dataclass(frozen=True)
class Ended:
    """A shard's run that is over: in which state, and what it told, unless it broke off."""

    run_id: UUID
    state: str
    outcome: BatchOutcome | None


def require_workers(shards: int, *, server: bool | None = None) -> None:
    """Raise SettingsError when shards are asked for where nobody could run them."""
    if server is None:
        server = bool(get_current_settings().api.url)
    if shards > 1 and not server:
        raise SettingsError(
            "shards are runs of their own, for the workers of a Prefect server: "
            "set PREFECT_API_URL or start `runbooks up`, or sweep without shards"
        )


def write_in_shards(parts: Parts, orders: Orders, workspace_id: str | None) -> BatchOutcome:
    """Have each part written by a run of its own, and add up what became of them."""
    progress = Progress(sum(map(len, parts.values())), shards=len(parts))
    running: dict[UUID, Shard] = {}
    try:
        for shard in parts:
            running[_start(shard, parts, orders, workspace_id)] = shard
        for ended in _as_they_end(list(running)):
            shard = running.pop(ended.run_id)
            progress.add(ended.outcome or _lost(shard, parts[shard], ended.state, orders, workspace_id))
    except BaseException:
        _cancel(running)
        raise
    return progress.summed


def _start(shard: Shard, parts: Parts, orders: Orders, workspace_id: str | None) -> UUID:
    """Start the run of a part, with its share of the budget."""
    size, total = len(parts[shard]), sum(map(len, parts.values()))
    budget = orders.budget.share(size / total)
    parameters = {
        "shard": str(shard),
        "limit": size,
        "workspace_id": workspace_id,
        "full": orders.full,
        "writer": orders.writer,
        "max_cost": budget.cost_usd,
        "max_tokens": budget.tokens,
    }
    name = f"shard {shard} · {size:,} changed"
    try:
        # From a flow that is no coroutine the run comes at once; the type leaves both open.
        run = cast(FlowRun, run_deployment(f"{NAME}/{NAME}", parameters=parameters, flow_run_name=name, timeout=0))
    except ObjectNotFound as error:
        raise SettingsError(f"the Prefect server has no deployment {NAME}: run `runbooks deploy`") from error
    return run.id


def _as_they_end(run_ids: Collection[UUID]) -> Iterator[Ended]:
    """Wait for runs; a server that is away is waited for, and missing workers are told of."""
    waiting, stall, away = set(run_ids), _Stall(len(run_ids)), False
    while waiting:
        try:
            with get_client(sync_client=True) as client:
                runs = _read(client, waiting)
                ended = [_end_of(client, run_id, runs.get(run_id)) for run_id in waiting]
        except (PrefectException, HTTPError) as error:
            if not away:
                tell(f"the Prefect server does not say how the shards are ({type(error).__name__}); asking on")
            away = True
        else:
            away = False
            stall.tell(runs.values())
            for one in filter(None, ended):
                waiting.discard(one.run_id)
                yield one
        if waiting:
            time.sleep(POLL_S)


def _read(client: SyncPrefectClient, run_ids: Collection[UUID]) -> dict[UUID, FlowRun]:
    wanted = FlowRunFilter(id=FlowRunFilterId(any_=list(run_ids)))
    return {run.id: run for run in client.read_flow_runs(flow_run_filter=wanted, limit=len(run_ids))}


def _end_of(client: SyncPrefectClient, run_id: UUID, run: FlowRun | None) -> Ended | None:
    if run is None:
        return Ended(run_id, "Deleted", None)
    if run.state is None or not run.state.is_final():
        return None
    return Ended(run_id, run.state.name or "", _told(client, run_id) if run.state.is_completed() else None)


def _told(client: SyncPrefectClient, run_id: UUID) -> BatchOutcome | None:
    wanted = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]), key=ArtifactFilterKey(any_=[RESULT]))
    found = client.read_artifacts(artifact_filter=wanted)
    return BatchOutcome.model_validate(json.loads(str(found[0].data))[0]) if found else None


def _lost(shard: Shard, part: list[Candidate], state: str, orders: Orders, workspace_id: str | None) -> BatchOutcome:
    """What became of a part whose run broke off: what it had stored is there, the rest got no runbook."""
    left = find_changed_workflows(
        workspace_id, full=False, writer=orders.writer, run_id=orders.run_id, budget=orders.budget, shard=shard
    )
    missing = {one.workflow_id for one in left}
    lost = [one for one in part if one.workflow_id in missing]
    stored = 0 if orders.full else len(part) - len(lost)  # of a full one nobody knows which were there before
    ended = f"{shard} ended as {state}"
    tell(f"shard {ended}; {len(lost):,} of its {len(part):,} workflows have no current runbook")
    return lost_batch(Failed(one.workflow_id, f"shard {ended}") for one in lost).model_copy(
        update={"generated": stored, "failed_shards": (ended,)}
    )


def _cancel(run_ids: Collection[UUID]) -> None:
    """Stop runs that nobody waits for any more; each stores what it has finished."""
    for run_id in run_ids:
        with suppress(PrefectException, HTTPError), get_client(sync_client=True) as client:
            client.set_flow_run_state(run_id, Cancelling(message="The sweep that started it was stopped."))


class _Stall:
    """Says that shards do not start, again and again while that is so."""

    def __init__(self, shards: int) -> None:
        self._shards = shards
        self._began = self._told = time.monotonic()

    def tell(self, runs: Collection[FlowRun]) -> None:
        waiting = [run for run in runs if run.state and (run.state.is_scheduled() or run.state.is_pending())]
        now = time.monotonic()
        if not waiting or now - self._told < STALLED_S:
            return
        self._told = now
        tell(
            f"{len(waiting)} of {self._shards} shards have not started after {now - self._began:.0f} s: no worker of "
            "the pool is free. Start one more, or raise its --limit; the sweep itself takes one place while it waits"
        )
