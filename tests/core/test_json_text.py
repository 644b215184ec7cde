import pytest

from runbooks.core.json_text import find_object

WANTED = {"scenarios": [{"a": "x y"}]}


@pytest.mark.parametrize(
    "text",
    [
        '{"scenarios": [{"a": "x y"}]}',
        '\ufeff  {"scenarios": [{"a": "x y"}]}  ',
        '```json\n{"scenarios": [{"a": "x y"}]}\n```',
        'Sure! Here is it: {"scenarios": [{"a": "x y"}]} Anything else?',
        'I thought of {this} and {"that": 1} first. {"scenarios": [{"a": "x y"}]}',
        '<think>{"scenarios": []} no, better:</think>{"scenarios": [{"a": "x y"}]}',
        '{"scenarios": [{"a": "x\ny"}]}',
        '{"scenarios": [{"a": "x\x0by"}]}',
    ],
)
def test_an_object_is_found_whatever_stands_around_it(text: str) -> None:
    found = find_object(text, key="scenarios")
    assert found is not None
    assert found.complete
    assert found.value == WANTED


@pytest.mark.parametrize(
    "text", ["", "no", "[1, 2]", '{"other": 1}', "{" * 50_000, '{"scenarios":' * 50_000, '<think>{"scenarios": []}']
)
def test_what_is_not_there_is_not_found(text: str) -> None:
    assert find_object(text, key="scenarios") is None


def test_a_text_that_was_cut_off_gives_what_came_before_and_says_so() -> None:
    found = find_object('Here: {"scenarios": [{"a": "x"}, {"a": "y', key="scenarios")
    assert found is not None
    assert not found.complete
    assert found.value["scenarios"][0] == {"a": "x"}
