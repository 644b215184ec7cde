"""A batch on its way through all steps: in which order, for whom, and as one task for a cluster."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from prefect import Task, task

from runbooks.core.batch import Candidate
from runbooks.core.report import BatchOutcome
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.settings import WriterChoice
from tasks.extract import extract_integrations
from tasks.fetch import fetch_changed_workflows
from tasks.generate import generate_runbooks
from tasks.metrics import aggregate_connector_metrics
from tasks.options import OPTIONS
from tasks.store import upsert_runbooks

Call = Callable[..., Any]
"""Calls a task with what the step before returned: as a task run of its own, or as the bare function."""


@dataclass(frozen=True)
class Orders:
    """How the workflows of a run are to be written."""

    writer: WriterChoice
    run_id: str
    include_historical_data: bool = True
    full: bool = False
    budget: Allowance = UNLIMITED
    asked_before: str | None = None
    """Why the model, which was asked ahead, is not asked for what it did not answer."""

    def alone(self, number: int, *, share: float) -> "Orders":
        """The orders for one batch that does not see what others spend: its share of the budget, if there is one."""
        if not self.budget.is_limited:
            return self
        return replace(self, run_id=f"{self.run_id}-{number}", budget=self.budget.share(share))


def run_steps(candidates: list[Candidate], orders: Orders, call: Call) -> Any:
    """Take a batch through all steps; returns what `call` gives for the last one."""
    generated = call(
        generate_runbooks,
        gather_facts(candidates, orders, call),
        writer=orders.writer,
        run_id=orders.run_id,
        full=orders.full,
        budget=orders.budget,
        asked_before=orders.asked_before,
    )
    return call(upsert_runbooks, generated)


def gather_facts(candidates: list[Candidate], orders: Orders, call: Call) -> Any:
    """Take a batch through the steps before the writing."""
    fetched = call(fetch_changed_workflows, candidates)
    extracted = call(extract_integrations, fetched)
    return call(aggregate_connector_metrics, extracted, include_historical_data=orders.include_historical_data)


def bare(step: Task[..., Any], value: Any, **options: Any) -> Any:
    """Call a task as the function that it is."""
    return step.fn(value, **options)


@task(**OPTIONS)
def write_batch(candidates: list[Candidate], orders: Orders) -> BatchOutcome:
    """Take a batch through all steps in one process of a cluster: ids travel there and counts back, no definitions."""
    outcome: BatchOutcome = run_steps(candidates, orders, bare)
    return outcome
