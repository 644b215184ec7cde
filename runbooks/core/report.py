"""What a sweep reports when it is done; the JSON of `runbooks sweep --json`."""

from collections import Counter
from collections.abc import Iterable

from pydantic import Field

from runbooks.core.batch import Batch, Failed, Generated
from runbooks.core.coverage import CoverageReport
from runbooks.core.workflow import Frozen


class FailedWorkflow(Frozen):
    """A workflow that got no runbook."""

    workflow_id: str
    reason: str


class LLMUse(Frozen):
    """What was asked of the language model."""

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    """Of the prompt's, those that the server had read before."""
    completion_tokens: int = 0
    cost_usd: float | None = None
    """None when nobody told the prices, or no model was asked."""

    @property
    def sentence(self) -> str:
        """One line for people."""
        parts = [
            f"{self.calls:,} calls of the model" if self.calls else "answers of the model that were asked for ahead",
            f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out",
        ]
        if self.cached_tokens:
            parts.append(f"{self.cached_tokens:,} of those in from its cache")
        if self.cost_usd is not None:
            parts.append(f"${self.cost_usd:,.2f}")
        return "; ".join(parts)

    def __add__(self, other: "LLMUse") -> "LLMUse":
        costs = [one.cost_usd for one in (self, other) if one.cost_usd is not None]
        return LLMUse(
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cost_usd=round(sum(costs), 6) if costs else None,
        )


class BatchOutcome(Frozen):
    """What became of one batch: counts, no payload."""

    generated: int = 0
    unchanged: int = 0
    failed: tuple[FailedWorkflow, ...] = ()
    llm: LLMUse = Field(default_factory=LLMUse)
    fallbacks: dict[str, int] = Field(default_factory=dict)
    """Reason → runbooks that the catalogue wrote although an LLM was asked for."""
    failed_shards: tuple[str, ...] = ()
    """Parts of a sweep that did not get to their end, with how they ended."""


class SweepReport(Frozen):
    """The result of a sweep."""

    dry_run: bool = False
    """Nothing was written; `changed` is what would be looked at, of which a few may turn out to be the same."""
    workflows_active: int
    changed: int
    """Active workflows whose content, history or writer differed from what was stored."""
    generated: int
    unchanged: int
    later: int = 0
    """Changed, too, but beyond the limit that was asked for."""
    failed: tuple[FailedWorkflow, ...]
    failed_shards: tuple[str, ...] = ()
    """Parts of the sweep that did not get to their end, with how they ended; what they had stored is kept."""
    llm: LLMUse
    fallbacks: dict[str, int]
    duration_s: float
    remarks: tuple[str, ...] = ()
    """What was wrong with its time: it started late, or takes long."""
    coverage: CoverageReport

    @property
    def headline(self) -> str:
        """One line for people."""
        parts = [f"{self.workflows_active} active", f"{self.changed} changed"]
        parts.append("dry run, nothing written" if self.dry_run else f"{self.generated} generated")
        if self.failed:
            parts.append(f"{len(self.failed)} failed")
        if self.failed_shards:
            parts.append(f"{len(self.failed_shards)} of its shards lost")
        if self.later:
            parts.append(f"{self.later} left for later")
        return (
            f"{', '.join(parts)}; {self.coverage.proactive_coverage:.0%} covered, {self.coverage.ai_coverage:.0%} by AI"
        )


def outcome_of(batch: Batch) -> BatchOutcome:
    """Count what became of a batch."""
    return BatchOutcome(
        generated=len(batch.generated),
        unchanged=len(batch.unchanged),
        failed=tuple(FailedWorkflow(workflow_id=one.workflow_id, reason=one.reason) for one in batch.failed),
        llm=sum(map(_use_of, batch.generated), LLMUse()),
        fallbacks=Counter(one.fallback_reason for one in batch.generated if one.fallback_reason),
    )


def _use_of(generated: Generated) -> LLMUse:
    tokens = generated.tokens
    return LLMUse(
        calls=generated.calls,
        prompt_tokens=tokens.prompt,
        cached_tokens=tokens.cached,
        completion_tokens=tokens.completion,
        cost_usd=generated.cost_usd,
    )


def lost_batch(failed: Iterable[Failed]) -> BatchOutcome:
    """The outcome of a batch that could not be finished: each of its workflows failed."""
    return BatchOutcome(failed=tuple(FailedWorkflow(workflow_id=one.workflow_id, reason=one.reason) for one in failed))


def combine(outcomes: Iterable[BatchOutcome]) -> BatchOutcome:
    """Add up the outcomes of batches."""
    done = list(outcomes)
    fallbacks: Counter[str] = Counter()
    for outcome in done:
        fallbacks.update(outcome.fallbacks)
    return BatchOutcome(
        generated=sum(outcome.generated for outcome in done),
        unchanged=sum(outcome.unchanged for outcome in done),
        failed=tuple(failed for outcome in done for failed in outcome.failed),
        llm=sum((outcome.llm for outcome in done), LLMUse()),
        fallbacks=dict(fallbacks),
        failed_shards=tuple(shard for outcome in done for shard in outcome.failed_shards),
    )
