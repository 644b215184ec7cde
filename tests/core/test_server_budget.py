import pytest

from runbooks.core.rate_headers import Left, Unit
from runbooks.core.server_budget import LONGEST_RESET_S, MARGIN_S, Sent, ServerBudget
from runbooks.core.spending import Tokens

MARGIN = 2 * MARGIN_S
REQUEST = Tokens(3000, 0, 1000)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def budget(clock: Clock) -> ServerBudget:
    return ServerBudget(clock=clock)


def go(budget: ServerBudget, tokens: Tokens = REQUEST) -> Sent:
    turn = budget.take(tokens)
    assert isinstance(turn, Sent)
    return turn


def requests_left(left: float, resets_in_s: float = 10, full: float | None = 5) -> list[Left]:
    return [Left("requests", Unit.REQUESTS, left, resets_in_s, full)]


def test_a_server_that_says_nothing_takes_everything(budget: ServerBudget) -> None:
    turns = [go(budget) for _ in range(1000)]
    budget.hear([], turns[-1])
    assert isinstance(budget.take(REQUEST), Sent)


def test_what_is_used_up_is_waited_for_until_it_is_reset(budget: ServerBudget, clock: Clock) -> None:
    budget.hear(requests_left(0), go(budget))
    assert budget.take(REQUEST) == pytest.approx(10, abs=MARGIN)
    clock.now += 9
    assert budget.take(REQUEST) == pytest.approx(1, abs=MARGIN)
    clock.now += 1 + MARGIN_S
    assert isinstance(budget.take(REQUEST), Sent)


def test_what_is_on_its_way_counts(budget: ServerBudget) -> None:
    first = go(budget)
    go(budget)
    go(budget)
    budget.hear(requests_left(3), first)
    assert isinstance(budget.take(REQUEST), Sent)
    assert budget.take(REQUEST) == pytest.approx(10, abs=MARGIN)


def test_after_a_reset_no_more_go_than_the_whole_budget(budget: ServerBudget, clock: Clock) -> None:
    budget.hear(requests_left(0), go(budget))
    clock.now += 10 + MARGIN_S
    turns = [budget.take(REQUEST) for _ in range(7)]
    assert [isinstance(turn, Sent) for turn in turns] == [True] * 5 + [False] * 2


def test_a_server_that_does_not_answer_is_asked_again_after_as_long_as_it_took_last_time(
    budget: ServerBudget, clock: Clock
) -> None:
    budget.hear(requests_left(0, resets_in_s=4, full=1), go(budget))
    clock.now += 4 + MARGIN_S
    go(budget)
    assert budget.take(REQUEST) == pytest.approx(4, abs=MARGIN)
    clock.now += 4
    assert isinstance(budget.take(REQUEST), Sent)


def test_an_answer_that_was_overtaken_says_nothing_new(budget: ServerBudget) -> None:
    first, second = go(budget), go(budget)
    budget.hear(requests_left(4), second)
    budget.hear(requests_left(0), first)
    assert isinstance(budget.take(REQUEST), Sent)


def test_an_answer_from_before_a_reset_says_nothing_of_what_is_left_after_it(
    budget: ServerBudget, clock: Clock
) -> None:
    first, second = go(budget), go(budget)
    budget.hear(requests_left(1, resets_in_s=2), first)
    clock.now += 2 + MARGIN_S
    go(budget)
    budget.hear(requests_left(0, resets_in_s=30), second)
    assert isinstance(budget.take(REQUEST), Sent)


def test_too_few_tokens_are_waited_for_as_well(budget: ServerBudget) -> None:
    sent = go(budget)
    budget.hear([Left("tokens", Unit.TOKENS, 3999, 2.5, 90_000)], sent)
    assert budget.take(REQUEST) == pytest.approx(2.5, abs=MARGIN)
    assert isinstance(budget.take(Tokens(2000, 0, 1000)), Sent)
    budget.hear([Left("output-tokens", Unit.OUTPUT_TOKENS, 900, 7, None)], sent)
    assert budget.take(Tokens(500, 0, 901)) == pytest.approx(7, abs=MARGIN)


def test_a_request_larger_than_the_whole_budget_is_sent_when_that_is_full(budget: ServerBudget, clock: Clock) -> None:
    budget.hear([Left("tokens", Unit.TOKENS, 500, 3, 2000)], go(budget))
    assert budget.take(REQUEST) == pytest.approx(3, abs=MARGIN)
    clock.now += 3 + MARGIN_S
    assert isinstance(budget.take(REQUEST), Sent)


def test_a_reset_that_is_far_away_is_left_to_the_servers_own_refusal(budget: ServerBudget) -> None:
    first, second = go(budget), go(budget)
    budget.hear(requests_left(0), first)
    budget.hear(requests_left(0, resets_in_s=LONGEST_RESET_S + 1), second)
    assert isinstance(budget.take(REQUEST), Sent)
