"""What to ask in a batch for the workflows that have neither a current runbook nor kept answers."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace

from runbooks.adapters.database import Database
from runbooks.adapters.llm_writer import LLMWriter
from runbooks.adapters.policies import read_policies
from runbooks.adapters.store import read_drafts, read_made_from
from runbooks.adapters.writers import Writers
from runbooks.core.batch import Batch
from runbooks.core.batch_lines import HALF, MOST_BYTES, MOST_REQUESTS, request_line
from runbooks.core.facts import Facts
from runbooks.core.fingerprint import fingerprint
from runbooks.core.importance import most_important_first
from runbooks.core.policy import NO_POLICY, WorkspacePolicy
from runbooks.core.spending import Prices, Purse, Tokens
from runbooks.errors import BudgetReached, PolicyUnusable


@dataclass
class InputFile:
    """The requests of one file, and what their answers will be answers to."""

    content: bytearray = field(default_factory=bytearray)
    requests: int = 0
    made_from: dict[str, str] = field(default_factory=dict)

    def takes(self, lines: list[bytes]) -> bool:
        """Whether there is room for them."""
        return self.requests + len(lines) <= MOST_REQUESTS and len(self.content) + sum(map(len, lines)) <= MOST_BYTES


def half_price(prices: Prices | None) -> Prices | None:
    """What the tokens of a batch cost."""
    if prices is None:
        return None
    cached = None if prices.cached_input is None else prices.cached_input * HALF
    return replace(prices, input=prices.input * HALF, output=prices.output * HALF, cached_input=cached)


def plan_files(
    batch: Batch, *, database: Database, writers: Writers, purse: Purse, full: bool, under_way: Collection[str]
) -> tuple[list[InputFile], bool]:
    """The requests for a batch of workflows, the most important first, as far as the purse goes.

    `under_way`: fingerprints that an answer is on its way for. Also returns whether the purse was enough for all.
    """
    files: list[InputFile] = []
    try:
        for facts, made_from, lines in _wanted(batch, database, writers, purse, full=full, under_way=under_way):
            if not files or not files[-1].takes(lines):
                files.append(InputFile())
            files[-1].content += b"".join(lines)
            files[-1].requests += len(lines)
            files[-1].made_from[facts.workflow.id] = made_from
    except BudgetReached:
        return files, False
    return files, True


def _wanted(
    batch: Batch, database: Database, writers: Writers, purse: Purse, *, full: bool, under_way: Collection[str]
) -> Iterator[tuple[Facts, str, list[bytes]]]:
    assert writers.llm  # noqa: S101 - the caller asks a model
    prints = {facts.workflow.id: _fingerprint(batch, facts, writers) for facts in batch.facts}
    with database.begin() as connection:
        stored = read_made_from(connection, list(prints), schema=database.schema)
        kept = read_drafts(connection, list(prints.values()))
        workspaces = sorted({facts.workflow.workspace_id for facts in batch.facts})
        policies = read_policies(connection, workspaces, schema=database.schema)
    for facts in most_important_first(batch.facts):
        made_from = prints[facts.workflow.id]
        known = stored.get(facts.workflow.id)
        if (
            made_from in kept
            or made_from in under_way
            or (not full and known is not None and known.fingerprint == made_from)
        ):
            continue
        policy = policies.get(facts.workflow.workspace_id, NO_POLICY)
        lines = _lines(facts, writers.llm, policy, purse)
        if lines:
            yield facts, made_from, lines


def _lines(facts: Facts, writer: LLMWriter, policy: WorkspacePolicy, purse: Purse) -> list[bytes]:
    """The requests of one workflow, paid from the purse; none where its workspace's policy does not allow them."""
    prices = half_price(writer.llm.prices)
    if policy.refuses(writer.llm.model, priced=prices is not None) is not None:
        return []
    try:
        prompts = [request.prompt for request in writer.manuscript(facts, policy.rules).requests()]
    except PolicyUnusable:
        return []
    needed = sum((Tokens(prompt.tokens, 0, prompt.answer_tokens) for prompt in prompts), Tokens())
    own = Purse(policy.allowance, prices=prices, whose="the workspace's policy")
    try:
        own.set_aside(needed)
    except BudgetReached:
        return []
    if not purse.set_aside(needed):
        raise BudgetReached("the budget of this run is set aside")
    return [
        request_line(facts.workflow.id, f"{number}", writer.llm.body(prompt)) for number, prompt in enumerate(prompts)
    ]


def _fingerprint(batch: Batch, facts: Facts, writers: Writers) -> str:
    candidate = batch.candidates[facts.workflow.id]
    return fingerprint(facts, history_signature=candidate.history_signature, writer_signature=writers.signature)
