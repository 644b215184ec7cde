import pytest

from runbooks.core.spending import NO_TOKENS, Allowance, Prices, Purse, Tokens
from runbooks.errors import BudgetReached

PRICES = Prices(input=2.0, cached_input=0.5, output=8.0)
REQUEST = Tokens(1000, 0, 500)


def purse(prices: Prices | None = PRICES, **limits: float) -> Purse:
    return Purse(Allowance(**limits), prices=prices, whose="the budget")  # type: ignore[arg-type]  # short calls


def test_cached_tokens_cost_less() -> None:
    assert PRICES.cost(Tokens(1_000_000, 600_000, 100_000)) == pytest.approx(0.4 * 2 + 0.6 * 0.5 + 0.1 * 8)


def test_without_a_price_of_their_own_cached_tokens_cost_as_others() -> None:
    assert Prices(input=2.0, output=8.0).cost(Tokens(1_000_000, 600_000, 0)) == pytest.approx(2.0)


@pytest.mark.parametrize("limits", [{"tokens": 3100}, {"cost_usd": 0.0121}])
def test_so_many_requests_at_once_as_the_allowance_pays_for(limits: dict[str, float]) -> None:
    money = purse(**limits)
    assert [money.set_aside(REQUEST) for _ in range(3)] == [True, True, False]
    money.settle(REQUEST, REQUEST)
    assert not money.set_aside(REQUEST)
    money.settle(REQUEST, REQUEST)
    with pytest.raises(BudgetReached, match="the budget allows"):
        money.set_aside(REQUEST)


def test_what_was_not_needed_can_be_spent_again() -> None:
    money = purse(tokens=1600)
    assert money.set_aside(REQUEST)
    assert not money.set_aside(REQUEST)
    money.settle(REQUEST, Tokens(50, 0, 50))
    assert money.set_aside(REQUEST)


def test_a_request_that_failed_costs_nothing() -> None:
    money = purse(tokens=1500)
    for _ in range(5):
        assert money.set_aside(REQUEST)
        money.settle(REQUEST, NO_TOKENS)


def test_nothing_is_paid_from_an_empty_purse_and_everything_from_one_without_limits() -> None:
    with pytest.raises(BudgetReached):
        purse(tokens=0).set_aside(REQUEST)
    with pytest.raises(BudgetReached):
        purse(cost_usd=0.0).set_aside(REQUEST)
    assert purse().set_aside(Tokens(10**12, 0, 10**12))


def test_a_model_that_costs_nothing_never_reaches_a_limit_of_cost() -> None:
    assert purse(Prices(0.0, 0.0), cost_usd=0.0).set_aside(REQUEST)
