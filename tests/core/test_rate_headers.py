import pytest

from runbooks.core.rate_headers import Left, Unit, pause_asked_for, seconds_until, what_is_left

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        ("1.5", 1.5),
        ("1s", 1),
        ("120ms", 0.12),
        ("6m0s", 360),
        ("2m59.56s", 179.56),
        ("1h2m3s", 3723),
        ("1700000030", 30),
        ("1700000030000", 30),
        ("1600000000", 0),
        ("2023-11-14T22:13:50Z", 30),
        ("2023-11-14T22:13:50+00:00", 30),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
    ],
)
def test_a_reset_is_read_in_every_form_that_servers_use(text: str, seconds: float) -> None:
    assert seconds_until(text, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5", "nan", "inf", "1 minute", "5x", "m5s", "1s of grace", "2023-99-14"])
def test_a_reset_that_makes_no_sense_is_none(text: str) -> None:
    assert seconds_until(text, now=NOW) is None


@pytest.mark.parametrize(
    ("headers", "budgets"),
    [
        (
            {
                "x-ratelimit-limit-requests": "60",
                "x-ratelimit-remaining-requests": "59",
                "x-ratelimit-reset-requests": "1s",
                "x-ratelimit-limit-tokens": "150000",
                "x-ratelimit-remaining-tokens": "149984",
                "x-ratelimit-reset-tokens": "6m0s",
            },
            [
                Left("requests", Unit.REQUESTS, 59, 1, 60),
                Left("tokens", Unit.TOKENS, 149_984, 360, 150_000),
            ],
        ),
        (
            {"X-RateLimit-Limit": "20", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000005000"},
            [Left("requests", Unit.REQUESTS, 0, 5, 20)],
        ),
        (
            {"ratelimit-limit": "100", "ratelimit-remaining": "3", "ratelimit-reset": "7"},
            [Left("requests", Unit.REQUESTS, 3, 7, 100)],
        ),
        ({"RateLimit": "limit=10, remaining=4, reset=50"}, [Left("requests", Unit.REQUESTS, 4, 50, 10)]),
        (
            {
                "RateLimit-Policy": '"burst";q=100;w=60, "day";q=9000;w=86400',
                "RateLimit": '"burst";r=50;t=30,"day";r=900;t=4000',
            },
            [
                Left('policy "burst"', Unit.REQUESTS, 50, 30, 100),
                Left('policy "day"', Unit.REQUESTS, 900, 4000, 9000),
            ],
        ),
        (
            {"RateLimit": '"token-bucket";r=5;t=2', "RateLimit-Policy": '"token-bucket";q=10;qu="requests"'},
            [Left('policy "token-bucket"', Unit.REQUESTS, 5, 2, 10)],
        ),
        (
            {"RateLimit-Policy": '"a";q=10;qu="tokens"', "RateLimit": '"a";r=5;t=2'},
            [Left('policy "a"', Unit.TOKENS, 5, 2, 10)],
        ),
        (
            {
                "anthropic-ratelimit-output-tokens-limit": "8000",
                "anthropic-ratelimit-output-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2023-11-14T22:13:30Z",
                "anthropic-ratelimit-input-tokens-remaining": "40000",
                "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:20Z",
            },
            [
                Left("output-tokens", Unit.OUTPUT_TOKENS, 0, 10, 8000),
                Left("input-tokens", Unit.INPUT_TOKENS, 40_000, 0, None),
            ],
        ),
    ],
)
def test_what_is_left_is_read_in_the_ways_that_servers_write_it(headers: dict[str, str], budgets: list[Left]) -> None:
    assert what_is_left(headers, now=NOW) == budgets


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "application/json", "x-request-id": "1"},
        {"x-ratelimit-remaining-tokens": "-1", "x-ratelimit-reset-tokens": "0"},
        {"x-ratelimit-remaining-requests": "0"},
        {"x-ratelimit-remaining-requests": "none", "x-ratelimit-reset-requests": "1s"},
        {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "whenever"},
        {"x-ratelimit-remaining-images": "0", "x-ratelimit-reset-images": "1s"},
        {"ratelimit": "nonsense"},
        {"ratelimit": '"a";r=0;t=5', "ratelimit-policy": '"a";q=1;qu="content-bytes"'},
    ],
)
def test_headers_that_say_nothing_or_nonsense_are_no_budget(headers: dict[str, str]) -> None:
    assert what_is_left(headers, now=NOW) == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "3"}, 3),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT", "x-ratelimit-reset-requests": "1s"}, 30),
        ({"x-ratelimit-reset-requests": "300ms", "x-ratelimit-reset-tokens": "20ms"}, 0.3),
        ({"x-ratelimit-reset-requests": "23h59m", "x-ratelimit-reset-tokens": "7s"}, 7),
        ({"x-ratelimit-reset-requests": "23h59m"}, None),
        ({"retry-after": "3600"}, 3600),
        ({"retry-after": "later"}, None),
        ({}, None),
    ],
)
def test_a_refusal_says_how_long_to_wait(headers: dict[str, str], seconds: float | None) -> None:
    assert pause_asked_for(headers, now=NOW, longest_reset_s=60) == seconds
