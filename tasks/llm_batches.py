"""Having a model answer in batches of its server: handing them in, looking how far they are, collecting them."""

from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from prefect import task

from runbooks.adapters.batch_client import GONE, LATE, BatchClient, BatchGone, BatchState, NoBatchAPI
from runbooks.adapters.batch_collection import keep_answers
from runbooks.adapters.batch_plan import InputFile, half_price, plan_files
from runbooks.adapters.batch_store import OpenBatch, add_batch, note_ended, note_started, read_open
from runbooks.adapters.interruption import run_interruptible
from runbooks.bootstrap import open_database, open_llm, open_writers
from runbooks.core.batch import Candidate
from runbooks.core.batch_lines import Answers
from runbooks.core.spending import Purse
from runbooks.errors import LLMUnavailable
from runbooks.settings import Settings, load_settings
from tasks.batch import Orders, bare, gather_facts
from tasks.options import OPTIONS
from tasks.telling import tell

T = TypeVar("T")

OVERDUE = timedelta(hours=25)
"""A server that keeps to the protocol has ended a batch by then, answered or not."""
LONGEST_S = 900.0
"""For one exchange with the server; the largest file has 200 MB."""


@task(task_run_name="find batches under way", **OPTIONS)
def find_open_batches() -> list[OpenBatch]:
    """Find the batches of the model that were handed in and not collected, also by a run that was killed."""
    settings = load_settings()
    found = [one if one.batch else _identified(settings, one) for one in _noted(settings)]
    return [one for one in found if one is not None]


def started_batches() -> list[OpenBatch]:
    """Those of them whose id is known: what a run looks at that asks the model as usual."""
    return [one for one in _noted(load_settings()) if one.batch]


def _noted(settings: Settings) -> list[OpenBatch]:
    llm, database = open_llm(settings), open_database(settings)
    with database.begin() as connection:
        return read_open(connection, server=llm.server, model=llm.model)


def _identified(settings: Settings, batch: OpenBatch) -> OpenBatch | None:
    """A batch whose starter was killed before it learnt the id; None where it was never started."""
    found = _now(BatchClient(open_llm(settings)).find(batch.input_file))
    with open_database(settings).begin() as connection:
        if found is None:
            note_ended(connection, batch.id, "never started")
            return None
        note_started(connection, batch.id, found)
    return replace(batch, batch=found)


@task(task_run_name="hand in batches", **OPTIONS)
def hand_in_batches(candidates: list[Candidate], orders: Orders) -> int | None:
    """Hand in what is to be asked for these workflows, the busiest first, as far as the budget goes.

    Returns the number of requests; None where the server takes no batches.
    """
    settings = load_settings()
    llm = open_llm(settings)
    _now(llm.learn())
    purse = Purse(orders.budget, prices=half_price(llm.prices), whose="the budget of this run")
    size = settings.batch_size
    handed_in, enough = 0, True
    try:
        for at in range(0, len(candidates), size):
            requests, enough = _hand_in(candidates[at : at + size], orders, settings, purse)
            handed_in += requests
            if not enough:
                tell("the budget of this run is set aside for what was handed in; the catalogue writes the rest")
                break
    except NoBatchAPI:
        return None
    return handed_in


def _hand_in(candidates: list[Candidate], orders: Orders, settings: Settings, purse: Purse) -> tuple[int, bool]:
    database = open_database(settings)
    batch = gather_facts(candidates, orders, bare)
    under_way = {made_from for one in _noted(settings) for made_from in one.made_from.values()}
    writers = open_writers(settings, orders.writer, orders.run_id, orders.budget)
    files, enough = plan_files(
        batch, database=database, writers=writers, purse=purse, full=orders.full, under_way=under_way
    )
    for file in files:
        _start(file, settings)
    return sum(file.requests for file in files), enough


def _start(file: InputFile, settings: Settings) -> None:
    """Note it before it is started: who is killed in between pays nothing twice."""
    database, llm = open_database(settings), open_llm(settings)
    client = BatchClient(llm)
    input_file = _now(client.upload(bytes(file.content)))
    with database.begin() as connection:
        row = add_batch(
            connection,
            input_file=input_file,
            server=llm.server,
            model=llm.model,
            requests=file.requests,
            made_from=file.made_from,
        )
    batch = _now(client.start(input_file))
    with database.begin() as connection:
        note_started(connection, row, batch)


def look_at(batch: OpenBatch) -> BatchState:
    """How far a batch is; LLMUnavailable when the server does not say."""
    assert batch.batch  # noqa: S101 - it was started
    try:
        state = _now(BatchClient(open_llm(load_settings())).state(batch.batch))
    except BatchGone:
        return BatchState(GONE)
    return state if state.ended or datetime.now(UTC) - batch.submitted_at < OVERDUE else replace(state, status=LATE)


@task(task_run_name="collect batch {batch.batch}", **OPTIONS)
def collect_batch(batch: OpenBatch, state: BatchState) -> dict[str, int]:
    """Keep the answers of a batch that has ended; returns how many requests have none, by reason."""
    settings = load_settings()
    llm = open_llm(settings)
    client, answers = BatchClient(llm), Answers()
    for file in filter(None, (state.output_file, state.error_file)):
        with suppress(BatchGone):  # files are kept for a while only; what is not there will not come
            answers.read(_now(client.read(file)))
    keep_answers(open_database(settings), batch, answers, prices=llm.prices, outcome=state.status)
    if state.status != LATE:  # the server may still work on that one
        for file in filter(None, (batch.input_file, state.output_file, state.error_file)):
            with suppress(LLMUnavailable):
                _now(client.delete(file))
    answered = sum(map(len, answers.bodies.values()))
    untold = batch.requests - answered - answers.missing.total()
    if untold > 0:
        answers.missing[state.problem or f"the batch has {state.status}"] += untold
    return dict(answers.missing)


def _now(coroutine: Coroutine[Any, Any, T]) -> T:
    return run_interruptible(coroutine, timeout_s=LONGEST_S)
