import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.core.phrases import compile_code, compile_phrase, words


def found(phrase: str, text: str) -> bool:
    return compile_phrase(phrase).found_in(f" | {words(text)} ")


@pytest.mark.parametrize(
    "spelling",
    ["userRateLimitExceeded", "USER_RATE_LIMIT_EXCEEDED", "User rate limit exceeded.", "user-rate-limit-exceeded"],
)
def test_code_and_sentence_are_the_same_words(spelling: str) -> None:
    assert words(spelling) == "user rate limit exceeded"


def test_letters_lose_their_accents() -> None:
    assert words("ERROR: conexión rechazada – Schlüssel") == "error conexion rechazada schlussel"


@pytest.mark.parametrize(
    ("text", "row"),
    [
        ("You can't do this", "you cannot do this"),
        ("You can not do this", "you cannot do this"),
        ("It doesn't and WON'T", "it does not and will not"),
        ("unauthorised organisation", "unauthorized organization"),
        ("American notes", "american notes"),
    ],
)
def test_one_spelling_stands_for_all(text: str, row: str) -> None:
    assert words(text) == row


@pytest.mark.parametrize(
    ("phrase", "text", "expected"),
    [
        ("too many requests", "429 Too Many Requests", True),
        ("too many requests", "too many open requests", False),
        ("(key|token) expired", "the token expired", True),
        ("(key|token) expired", "the session expired", False),
        ("token (has|) expired", "token expired", True),
        ("token (has|) expired", "token has expired", True),
        ("token (has|) expired", "token had expired", False),
        ("expire*", "expires", True),
        ("expire*", "unexpired", False),
        ("limit of <n> bytes", "over the limit of 1024 bytes", True),
        ("limit of <n> bytes", "over the limit of many bytes", False),
        ("quota ... minute", "quota exceeded for reads per minute", True),
        ("quota ... minute", "quota a b c d e f g minute", False),
        ("blocked by firewall", "blocked by firewall", True),
        ("blocked by firewall", "is not blocked by firewall", False),
        ("(blocked|denied) by firewall", "it isn't denied by firewall", False),
        ("found by firewall", "not found by firewall", True),
        ("(isn't|is not) valid", "the key isn't valid", True),
        ("is not valid", "the key isn't valid", True),
        ("can't parse", "we can not parse this", True),
        ("over (the limit of <n> (bytes|mb)|size)", "over the limit of 5 MB", True),
        ("over (the limit of <n> (bytes|mb)|size)", "over size", True),
        ("over (the limit of <n> (bytes|mb)|size)", "over the limit of 5", False),
    ],
)
def test_phrase_finds_what_it_says(phrase: str, text: str, expected: bool) -> None:
    assert found(phrase, text) is expected


@pytest.mark.parametrize("phrase", ["(a|b", "a)", "a|b", "", "...", "()", "a ($|b)", "a *"])
def test_what_is_no_phrase_is_refused(phrase: str) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        compile_phrase(phrase)


@pytest.mark.parametrize(
    ("code", "row", "expected"),
    [
        ("21610", " | code 21610 | not delivered ", True),
        ("21610", " | error 21610 ", True),
        ("21610", " | order 21610 was not found ", False),
        ("42*", " | sqlstate 42501 ", True),
        ("42*", " | sqlstate 23505 ", False),
    ],
)
def test_code_counts_only_where_a_code_stands(code: str, row: str, expected: bool) -> None:
    assert compile_code(code).found_in(row) is expected


@pytest.mark.parametrize(
    ("phrase", "needs"),
    [
        ("rate limit exceeded", [{"rate"}, {"limit"}, {"exceeded"}]),
        ("(key|token) (has|) expired", [{"key", "token"}, {"expired"}]),
        ("(slow down|throttled)", [{"slow", "throttled"}]),
        ("(slow down|)", []),
        ("throttl*", []),
        ("userRateLimit*", [{"user"}, {"rate"}]),
    ],
)
def test_needs_are_words_that_a_match_must_have(phrase: str, needs: list[set[str]]) -> None:
    assert list(compile_phrase(phrase).needs) == needs


def test_a_text_without_a_needed_word_is_not_searched() -> None:
    phrase = compile_phrase("(key|token) (has|) expired")
    assert phrase.possible_with({"the", "token", "expired"})
    assert not phrase.possible_with({"the", "token"})
    assert not phrase.possible_with({"expired"})


@given(st.text(max_size=200))
def test_any_text_becomes_lower_case_words_one_space_apart(text: str) -> None:
    row = words(text)
    assert row == row.lower()
    assert "  " not in row
    assert row == row.strip()


def test_a_hostile_text_takes_no_longer_than_its_length_allows() -> None:
    phrase = compile_phrase("a ... (a|a a) ... (a b|a c) ... end")
    short, long = (" a" * n + " " for n in (2_000, 20_000))
    phrase.found_in(short)
    started = time.perf_counter()
    phrase.found_in(short)
    of_short = time.perf_counter() - started
    started = time.perf_counter()
    phrase.found_in(long)
    of_long = time.perf_counter() - started
    assert of_long < 60 * of_short + 0.05  # ten times the text; a quadratic search would take a hundred times as long
