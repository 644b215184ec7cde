from dataclasses import replace

import pytest

from runbooks.core.regeneration import MadeOf, reasons, sentence

MADE = MadeOf("f1", "d1", "h1", "c1", "p1", "m1", "llm")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"definition_hash": "d2"}, ("definition",)),
        ({"history_signature": "h2"}, ("history",)),
        ({"catalogue_version": "c2"}, ("catalogue",)),
        ({"prompt_version": "p2"}, ("prompt",)),
        ({"model": "m2"}, ("model",)),
        ({"writer": "catalogue", "model": None, "prompt_version": None}, ("writer",)),
        ({"definition_hash": "d2", "history_signature": "h2"}, ("definition", "history")),
        ({}, ("contacts",)),
    ],
)
def test_a_new_version_says_what_moved(changes: dict[str, str], why: tuple[str, ...]) -> None:
    assert reasons(MADE, replace(MADE, fingerprint="f2", **changes)) == why


def test_the_same_again_was_asked_for() -> None:
    assert reasons(MADE, MADE) == ("requested",)


def test_the_first_has_nothing_before_it() -> None:
    assert reasons(None, MADE) == ("first",)


def test_reasons_are_read_as_a_sentence() -> None:
    assert sentence("definition, history") == (
        "the workflow's definition changed and what history says of its integrations changed"
    )
