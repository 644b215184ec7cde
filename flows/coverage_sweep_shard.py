"""One of several parts of a sweep, as a flow run of its own; `coverage-sweep` starts it and reports on all parts."""

import uuid
from uuid import UUID

from httpx import HTTPError
from prefect import flow
from prefect.artifacts import create_table_artifact
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run as current_run
from prefect.states import Completed
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveInt

from flows.coverage_sweep import write_batches
from flows.shards import RESULT
from runbooks import __version__
from runbooks.adapters.memory import keep_memory_low
from runbooks.core.report import BatchOutcome
from runbooks.core.shard import Shard
from runbooks.core.spending import Allowance
from runbooks.errors import RunbooksError
from runbooks.settings import WriterChoice
from tasks.batch import Orders
from tasks.fetch import find_changed_workflows


class SweepOver(RunbooksError):
    """The sweep that a shard belongs to is over, so that nobody waits for the shard."""


@flow(name="coverage-sweep-shard", version=__version__, flow_run_name="shard {shard}", persist_result=False)
def coverage_sweep_shard(
    shard: str,
    limit: PositiveInt,
    workspace_id: str | None = None,
    full: bool = False,
    writer: WriterChoice = "auto",
    max_cost: NonNegativeFloat | None = None,
    max_tokens: NonNegativeInt | None = None,
) -> State[BatchOutcome]:
    """Write the runbooks of one part of a sweep; started by coverage-sweep, which refreshes the history and reports.

    Args:
        shard: Which part, like 2/4.
        limit: At most so many workflows, the busiest first.
        workspace_id: Only this workspace, by its id; empty for all.
        full: Write every runbook anew, changed or not.
        writer: Who writes. auto: the language model when one is configured, else the catalogue.
        max_cost: This part's share of the sweep's budget, in US dollars; empty for no limit.
        max_tokens: This part's share of the sweep's tokens; empty for no limit.
    """
    keep_memory_low()
    part, budget, run_id = Shard.parse(shard), Allowance(max_tokens, max_cost), uuid.uuid4().hex
    orders = Orders(writer=writer, run_id=run_id, full=full, budget=budget)
    found = find_changed_workflows(workspace_id, full=full, writer=writer, run_id=run_id, budget=budget, shard=part)
    done = write_batches(list(found[:limit]), orders, after_each=stop_when_nobody_waits)
    create_table_artifact(
        [done.model_dump(mode="json")], key=RESULT, description=f"What became of shard {part}, for the sweep's report"
    )
    return Completed(message=f"{done.generated} generated, {len(done.failed)} failed", data=done)


def stop_when_nobody_waits() -> None:
    """Raise when the sweep crashed meanwhile: the one that is started after it writes the same runbooks."""
    parent = current_run.parent_flow_run_id
    if parent is None:
        return
    try:
        with get_client(sync_client=True) as client:
            state = client.read_flow_run(UUID(parent)).state
    except (PrefectException, HTTPError):  # that the server is away says nothing of the sweep
        return
    if state is not None and state.is_final():
        raise SweepOver(f"the sweep of this shard ended as {state.name}; what the shard stored is kept")
