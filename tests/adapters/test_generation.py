"""A batch on a real database, with the catalogue or a model that writes."""

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import URL, text

from runbooks.adapters.catalogue_files import load_catalogue
from runbooks.adapters.database import Database
from runbooks.adapters.generation import generate_batch
from runbooks.adapters.history import refresh_history
from runbooks.adapters.llm import LLM
from runbooks.adapters.llm_writer import LLMWriter
from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.adapters.platform import find_changed, read_workflows
from runbooks.adapters.prompt_files import load_prompts
from runbooks.adapters.store import mark_unchanged, read_runbook, upsert_runbooks
from runbooks.adapters.writers import Writers
from runbooks.core.batch import Batch, with_integrations
from runbooks.core.catalogue_writer import CatalogueWriter
from runbooks.core.facts import Facts
from runbooks.core.prompting import Limits
from runbooks.core.runbook import Runbook
from runbooks.core.spending import UNLIMITED, Allowance, Prices, Purse
from runbooks.errors import DatabaseUnreachable
from tests.support import llm_server as models
from tests.support.hosts import connected, insert_workflow, insert_workspace
from tests.support.llm_server import LLMServer

NODES = [
    {"id": "in", "type": "trigger_webhook", "data": {"config": {"path": "orders"}}},
    {"id": "http_stripe", "type": "action_http_request", "label": "Charge card",
     "data": {"config": {"url": "https://api.stripe.com/v1/charges", "method": "POST", "note": "CUST-4711"}}},
]  # fmt: skip
EDGES = [{"source": "in", "target": "http_stripe"}]
CATALOGUE = load_catalogue()
CATALOGUE_ONLY = Writers(catalogue=CatalogueWriter(CATALOGUE), catalogue_version=CATALOGUE.version)


@dataclass
class Platform:
    """A database with workflows, and one sweep's steps over all of them."""

    url: URL
    database: Database

    def add(self, *names: str, workspace: str = "shop", nodes: list[Any] | None = None) -> list[str]:
        return [
            insert_workflow(self.url, name=name, nodes=nodes or NODES, edges=EDGES, workspace=workspace)
            for name in names
        ]

    def batch(self, writers: Writers, *, full: bool = False, history: bool = True) -> Batch:
        """All workflows that a sweep would look at."""
        schema = self.database.schema
        with self.database.begin() as connection:
            refresh_history(connection, days=30, now=datetime.now(UTC))
            candidates = find_changed(connection, schema=schema, wanted=writers.wanted, full=full)
            by_id = {candidate.workflow_id: candidate for candidate in candidates}
            workflows, _ = read_workflows(connection, list(by_id), schema=schema)
        batch = with_integrations(Batch(candidates=by_id, workflows=tuple(workflows)), load_node_knowledge(), {})
        facts = tuple(one.model_copy(update={"history_included": history}) for one in batch.facts)
        return replace(batch, facts=facts)

    def generate(self, writers: Writers, patience_s: float = 1, **given: Any) -> Batch:
        """Write, and store nothing."""
        batch = self.batch(writers, **given)
        return generate_batch(batch, database=self.database, writers=writers, window_days=30, patience_s=patience_s)

    def sweep(self, writers: Writers, **given: Any) -> Batch:
        """Write and store."""
        batch = self.generate(writers, **given)
        with self.database.begin() as connection:
            upsert_runbooks(connection, batch.generated, schema=self.database.schema)
            mark_unchanged(connection, batch.unchanged, schema=self.database.schema)
        return batch

    def runbook(self, workflow_id: str) -> Runbook:
        with self.database.begin() as connection:
            runbook = read_runbook(connection, workflow_id, schema=self.database.schema)
        assert runbook is not None
        return runbook

    def value(self, query: str) -> Any:
        with connected(self.url) as connection:
            return connection.execute(text(query)).scalar_one()

    def run(self, statement: str, **values: Any) -> None:
        with connected(self.url) as connection:
            connection.execute(text(statement), values)


@pytest.fixture
def platform(database: URL) -> Iterator[Platform]:
    opened = Database(database)
    insert_workspace(database, slug="shop")
    yield Platform(database, opened)
    opened.close()


WithModel = Callable[..., Writers]


def eventually(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def with_model(llm_server: LLMServer) -> WithModel:
    """The writers of a new run, as another process would open them."""

    def opened(prices: Prices | None = None, budget: Allowance = UNLIMITED, concurrency: int = 16) -> Writers:
        llm = LLM(
            model="m",
            base_url=llm_server.base_url,
            timeout_s=5,
            attempts=2,
            prices=prices,
            concurrency=concurrency,
        )
        purse = Purse(budget, prices=prices, whose="the budget")
        writer = LLMWriter(
            llm, catalogue=CATALOGUE_ONLY.catalogue, prompts=load_prompts(), limits=Limits(), purse=purse
        )
        return replace(CATALOGUE_ONLY, llm=writer)

    return opened


def test_the_catalogue_writes_every_workflow_and_a_second_sweep_finds_nothing_to_do(platform: Platform) -> None:
    ids = platform.add("A", "B", "C")
    batch = platform.sweep(CATALOGUE_ONLY)
    assert {one.workflow_id for one in batch.generated} == set(ids)
    made = platform.runbook(ids[0]).provenance
    assert (made.writer, made.window_days, len(made.fingerprint)) == ("catalogue", 30, 64)
    assert made.generated_at is not None
    assert platform.batch(CATALOGUE_ONLY).candidates == {}


def test_a_definition_that_only_looks_changed_is_left_as_it_is(platform: Platform) -> None:
    (workflow_id,) = platform.add("A")
    platform.sweep(CATALOGUE_ONLY)
    moved = [{**node, "position": {"x": 7, "y": 7}} for node in NODES]
    platform.run("UPDATE workflows SET nodes = CAST(:nodes AS json)", nodes=json.dumps(moved))
    batch = platform.sweep(CATALOGUE_ONLY)
    assert [one.workflow_id for one in batch.unchanged] == [workflow_id]
    assert batch.generated == ()
    assert platform.batch(CATALOGUE_ONLY).candidates == {}


def test_full_writes_also_what_has_not_changed(platform: Platform) -> None:
    platform.add("A", "B")
    platform.sweep(CATALOGUE_ONLY)
    batch = platform.batch(CATALOGUE_ONLY, full=True)
    done = generate_batch(batch, database=platform.database, writers=CATALOGUE_ONLY, window_days=30, full=True)
    assert len(done.generated) == 2


class Stumbling(CatalogueWriter):
    """Fails at one workflow, with its data in the message."""

    def write(self, facts: Facts) -> Runbook:
        if facts.workflow.name == "odd":
            raise KeyError("sk_live_51FAKEfake0FAKEfake1FAKE")  # notsecret
        return super().write(facts)


@pytest.mark.parametrize("model", [False, True])
def test_one_odd_workflow_is_reported_and_the_others_are_written(
    platform: Platform, with_model: WithModel, model: bool
) -> None:
    _, odd, _ = platform.add("A", "odd", "B")
    writers = with_model() if model else CATALOGUE_ONLY
    stumbling = Stumbling(CATALOGUE)
    if writers.llm:
        writers.llm.catalogue = stumbling
    batch = platform.sweep(replace(writers, catalogue=stumbling))
    assert len(batch.generated) == 2
    (failed,) = batch.failed
    assert failed.workflow_id == odd
    assert failed.reason == "no runbook could be written: KeyError"


def test_history_left_out_is_made_up_for_by_the_next_sweep(platform: Platform) -> None:
    platform.add("A")
    platform.sweep(CATALOGUE_ONLY, history=False)
    assert len(platform.sweep(CATALOGUE_ONLY).generated) == 1
    assert platform.batch(CATALOGUE_ONLY).candidates == {}


def test_a_model_writes_and_is_not_asked_again_for_what_has_not_changed(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    ids = platform.add("A", "B", "C")
    batch = platform.sweep(with_model())
    assert sum(one.calls for one in batch.generated) == len(llm_server.requests)
    for workflow_id in ids:
        assert platform.runbook(workflow_id).ai_generated
    assert platform.value("SELECT count(*) FROM runbook_drafts") == 0
    assert platform.value("SELECT sum(prompt_tokens) FROM runbook_generations") >= 3000
    asked = len(llm_server.requests)
    assert platform.sweep(with_model()).generated == ()
    assert len(llm_server.requests) == asked


def test_a_sweep_that_was_killed_before_storing_pays_for_no_answer_twice(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add("A", "B", "C")
    lost = platform.generate(with_model())
    asked = len(llm_server.writing)
    assert platform.value("SELECT count(*) FROM runbook_drafts") == 3
    again = platform.sweep(with_model())
    assert len(llm_server.writing) == asked == 3
    assert [one.runbook.sections for one in again.generated] == [one.runbook.sections for one in lost.generated]
    assert all(one.runbook.ai_generated for one in again.generated)
    assert sum(one.calls for one in again.generated) == 0
    assert platform.value("SELECT count(*) FROM runbook_drafts") == 0


def test_a_kept_answer_is_not_used_for_a_definition_that_changed(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add("A")
    platform.generate(with_model())
    platform.run("UPDATE workflows SET nodes = CAST(:nodes AS json)", nodes=json.dumps(NODES[1:]))
    platform.sweep(with_model())
    assert len(llm_server.writing) == 2


def test_a_model_that_is_down_is_asked_by_the_next_sweep(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    (workflow_id,) = platform.add("A")
    llm_server.default = models.error(503, "down")
    batch = platform.sweep(with_model())
    assert batch.generated[0].fallback_reason == "the server answers with HTTP 503"
    assert not platform.runbook(workflow_id).ai_generated
    llm_server.default = models.good
    assert len(platform.sweep(with_model()).generated) == 1
    assert platform.runbook(workflow_id).ai_generated


def test_a_model_that_answered_badly_is_not_asked_again_for_the_same(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    (workflow_id,) = platform.add("A")
    llm_server.default = models.refusal
    (written,) = platform.sweep(with_model()).generated
    assert written.fallback_reason == "the model refused to answer"
    runbook = platform.runbook(workflow_id)
    assert not runbook.ai_generated
    assert runbook.provenance.writer == "catalogue"
    assert platform.sweep(with_model()).generated == ()


def test_a_sweep_without_a_model_leaves_what_a_model_wrote(platform: Platform, with_model: WithModel) -> None:
    (workflow_id,) = platform.add("A")
    platform.sweep(with_model())
    assert platform.sweep(replace(CATALOGUE_ONLY, keep_llm=True)).generated == ()
    assert platform.runbook(workflow_id).ai_generated
    assert len(platform.sweep(CATALOGUE_ONLY).generated) == 1
    assert not platform.runbook(workflow_id).ai_generated


GO_AWAY = """
    CREATE FUNCTION go_away() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'; END $$;
    CREATE TRIGGER away BEFORE INSERT ON runbook_drafts EXECUTE FUNCTION go_away()
"""


def test_a_database_that_stays_away_is_told_once_patience_is_at_its_end(
    platform: Platform, with_model: WithModel
) -> None:
    platform.add("A", "B")
    platform.run(GO_AWAY)
    with pytest.raises(DatabaseUnreachable) as caught:
        platform.generate(with_model(), patience_s=1)
    assert caught.value.waited_for, "no second wait, in the task's retry"


def test_answers_wait_for_a_database_that_is_away_and_nothing_is_asked_meanwhile(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add(*"ABCDEF")
    platform.run(GO_AWAY)
    llm_server.delay_s = 0.3
    writers = with_model(concurrency=2)
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(platform.generate, writers, patience_s=60)
        eventually(lambda: llm_server.writing)
        time.sleep(1)
        asked = len(llm_server.writing)
        assert asked <= 4, "two at once, and two that went out before the first was to be kept"
        time.sleep(2)
        assert len(llm_server.writing) == asked
        platform.run("DROP TRIGGER away ON runbook_drafts")
        batch = writing.result(timeout=60)
    assert len(llm_server.writing) == 6, "no answer was lost"
    assert all(one.runbook.ai_generated for one in batch.generated)
    assert platform.value("SELECT count(*) FROM runbook_drafts") == 6


POLICY = """
    INSERT INTO workspace_policies (workspace_id, enabled, blocked_ai_models, redaction_rules)
    SELECT id, :enabled, CAST(:blocked AS json), CAST(:rules AS json) FROM workspaces WHERE slug = :slug
"""


def test_a_model_that_a_workspace_blocks_is_asked_only_for_the_others(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    insert_workspace(platform.url, slug="strict")
    platform.add("Open workflow")
    (blocked,) = platform.add("Blocked workflow", workspace="strict")
    platform.run(POLICY, enabled=True, blocked='["m"]', rules=None, slug="strict")
    batch = platform.sweep(with_model())
    assert len(batch.generated) == 2
    assert len(llm_server.writing) == 1
    assert not any("Blocked workflow" in request.user for request in llm_server.requests)
    runbook = platform.runbook(blocked)
    assert runbook.sections
    assert not runbook.ai_generated
    assert platform.sweep(with_model()).generated == ()


def test_a_policy_that_is_not_enabled_does_not_count(platform: Platform, with_model: WithModel) -> None:
    (workflow_id,) = platform.add("A")
    platform.run(POLICY, enabled=False, blocked='["m"]', rules='["("]', slug="shop")
    platform.sweep(with_model())
    assert platform.runbook(workflow_id).ai_generated


def test_a_workspaces_redaction_rules_apply_to_what_is_sent(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    (workflow_id,) = platform.add("Orders of CUST-4711")
    platform.run(POLICY, enabled=True, blocked=None, rules=json.dumps([r"CUST-\d+"]), slug="shop")
    platform.sweep(with_model())
    assert llm_server.writing
    assert not any("CUST-4711" in json.dumps(request.body) for request in llm_server.requests)
    assert platform.runbook(workflow_id).ai_generated


def test_a_rule_that_cannot_be_read_blocks_sending_and_says_so(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add("A")
    platform.run(POLICY, enabled=True, blocked=None, rules=json.dumps(["CUST-("]), slug="shop")
    (written,) = platform.sweep(with_model()).generated
    assert written.fallback_reason is not None
    assert "'CUST-(' is no regular expression" in written.fallback_reason
    assert not llm_server.requests


PRICES = Prices(input=2.0, cached_input=1.0, output=10.0)


def test_what_a_runbook_cost_is_stored_with_it(platform: Platform, with_model: WithModel) -> None:
    platform.add("A")
    (written,) = platform.sweep(with_model(PRICES)).generated
    assert written.cost_usd is not None
    assert written.cost_usd == pytest.approx(PRICES.cost(written.tokens))
    query = "SELECT cost_usd, cached_tokens, calls, server, scenarios_by_llm, scenarios FROM runbook_generations"
    with connected(platform.url) as connection:
        row = connection.execute(text(query)).one()
    assert float(row.cost_usd) == pytest.approx(written.cost_usd, abs=1e-6)
    assert row.cached_tokens == written.tokens.cached > 0
    assert row.calls == written.calls
    assert row.server.startswith("127.0.0.1:")
    assert 0 < row.scenarios_by_llm < row.scenarios


@pytest.mark.parametrize("budget", [Allowance(tokens=9000), Allowance(cost_usd=0.04)])
def test_when_the_budget_is_reached_the_catalogue_writes_the_rest(
    platform: Platform, with_model: WithModel, budget: Allowance
) -> None:
    platform.add(*"ABCDEFGHIJ")
    batch = platform.sweep(with_model(PRICES, budget))
    by_model = [one for one in batch.generated if one.runbook.ai_generated]
    assert 0 < len(by_model) < 10
    assert len(batch.generated) == 10
    if budget.tokens:
        assert sum(one.tokens.total for one in by_model) <= budget.tokens
    if budget.cost_usd:
        assert sum(one.cost_usd or 0 for one in by_model) <= budget.cost_usd
    reasons = {one.fallback_reason for one in batch.generated if not one.runbook.ai_generated}
    assert len(reasons) == 1
    assert "the budget allows" in str(reasons.pop())
    assert len(platform.batch(with_model()).candidates) == 10 - len(by_model)


def test_a_budget_goes_to_the_busiest_first(platform: Platform, with_model: WithModel) -> None:
    ids = platform.add(*"ABCDEF")
    platform.run("UPDATE workflows SET execution_count = 900 WHERE name = 'E'")
    batch = platform.sweep(with_model(PRICES, Allowance(tokens=4000)))
    assert [one.workflow_id for one in batch.generated if one.runbook.ai_generated][:1] == [ids[4]]


LIMITS = """
    INSERT INTO workspace_policies (workspace_id, enabled, max_ai_tokens, max_execution_cost_usd)
    SELECT id, true, :tokens, :cost FROM workspaces WHERE slug = 'shop'
"""


def test_a_policy_limits_what_one_runbook_costs(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add("A", "B")
    platform.run(LIMITS, tokens=100, cost=None)
    reasons = {one.fallback_reason for one in platform.sweep(with_model()).generated}
    assert reasons == {"the workspace's policy allows 100 tokens; the next request may need more"}
    assert not llm_server.writing


def test_a_policy_that_is_kept_is_no_obstacle(platform: Platform, with_model: WithModel) -> None:
    platform.add("A", "B")
    platform.run(LIMITS, tokens=100_000, cost=1)
    assert all(one.runbook.ai_generated for one in platform.sweep(with_model(PRICES)).generated)


def test_a_rule_that_backtracks_without_end_blocks_sending(
    platform: Platform, with_model: WithModel, llm_server: LLMServer
) -> None:
    platform.add("A" * 90, "B")
    platform.run(POLICY, enabled=True, blocked=None, rules=json.dumps([r"(?:A|AA)+[B-Z]"]), slug="shop")
    written = platform.sweep(with_model()).generated
    assert len(written) == 2
    assert "takes too long" in str(written[0].fallback_reason)
    assert not any("A" * 90 in request.user for request in llm_server.requests)
