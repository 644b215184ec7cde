from runbooks.core.rate_limit import MOST_KEYS, RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_steady_use_below_the_limit_always_passes() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)
    for _ in range(500):
        assert limit.wait_for("a") == 0
        clock.now += 1.0


def test_a_burst_passes_once_and_then_has_to_wait() -> None:
    clock = Clock()
    limit = RateLimit(60, clock=clock)
    assert [limit.wait_for("a") for _ in range(17)] == [0] * 15 + [1, 1]
    clock.now += 1.0
    assert [limit.wait_for("a") for _ in range(2)] == [0, 1]


def test_the_wait_is_as_long_as_it_takes() -> None:
    limit = RateLimit(2, clock=Clock())
    assert limit.wait_for("a") == 0
    assert limit.wait_for("a") == 30


def test_whoever_waits_as_told_passes() -> None:
    clock = Clock()
    limit = RateLimit(7, clock=clock)
    while not limit.wait_for("a"):
        pass
    clock.now += limit.wait_for("a")
    assert limit.wait_for("a") == 0


def test_keys_do_not_share_a_limit() -> None:
    limit = RateLimit(4, clock=Clock())
    assert limit.wait_for("a") == 0
    assert limit.wait_for("a") > 0
    assert limit.wait_for("b") == 0


def test_no_limit_is_none() -> None:
    limit = RateLimit(0, clock=Clock())
    assert not any(limit.wait_for("a") for _ in range(10_000))


def test_keys_that_were_not_used_for_long_are_forgotten() -> None:
    limit = RateLimit(60, clock=Clock())
    for number in range(MOST_KEYS + 10):
        limit.wait_for(str(number))
    assert len(limit._buckets) == MOST_KEYS
