from runbooks.core.batch import Batch, Failed
from runbooks.core.report import BatchOutcome, FailedWorkflow, LLMUse, combine, outcome_of
from runbooks.core.spending import Tokens
from tests.support.stored import make_generated


def test_outcome_of_a_batch_counts_and_carries_no_payload() -> None:
    batch = Batch(
        candidates={},
        generated=(
            make_generated("1", "ws", calls=2, tokens=Tokens(100, 60, 10), cost_usd=0.25),
            make_generated("2", "ws", calls=1, tokens=Tokens(50, 0, 5), fallback_reason="no answer"),
        ),
        failed=(Failed("3", "nodes is no list"),),
    )
    assert outcome_of(batch) == BatchOutcome(
        generated=2,
        failed=(FailedWorkflow(workflow_id="3", reason="nodes is no list"),),
        llm=LLMUse(calls=3, prompt_tokens=150, cached_tokens=60, completion_tokens=15, cost_usd=0.25),
        fallbacks={"no answer": 1},
    )


def test_outcomes_add_up() -> None:
    one = BatchOutcome(generated=2, unchanged=1, llm=LLMUse(calls=2), fallbacks={"no answer": 1})
    other = BatchOutcome(
        generated=1,
        failed=(FailedWorkflow(workflow_id="3", reason="r"),),
        llm=LLMUse(calls=1),
        fallbacks={"no answer": 2, "refused": 1},
    )
    total = combine([one, other])
    assert (total.generated, total.unchanged, len(total.failed), total.llm.calls) == (3, 1, 1, 3)
    assert total.fallbacks == {"no answer": 3, "refused": 1}
    assert combine([]) == BatchOutcome()
