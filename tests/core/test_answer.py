import json
from typing import Any

import pytest

from runbooks.core.answer import LONGEST_LINE, MOST_LINES, answer_schema, read_answer
from tests.support.order_workflow import AUTH, STRIPE, make_answer


def as_text(*scenarios: Any) -> str:
    return json.dumps({"scenarios": [one if isinstance(one, dict) else one.model_dump() for one in scenarios]})


def nodes_of(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, dict):
        return [schema, *(node for value in schema.values() for node in nodes_of(value))]
    return []


def test_the_schema_keeps_to_what_strict_mode_allows() -> None:
    for node in nodes_of(answer_schema(limits=False)):
        assert not {"$ref", "$defs", "anyOf", "minItems", "maxItems", "maxLength", "default"} & set(node)
        if node.get("type") == "object":
            assert node["additionalProperties"] is False
            assert node["required"] == list(node["properties"])


def test_with_limits_every_text_and_list_is_bounded() -> None:
    for node in nodes_of(answer_schema(limits=True)):
        if node.get("type") == "string":
            assert node["maxLength"] > 0
        if node.get("type") == "array":
            assert node["maxItems"] > 0


def test_a_good_answer_is_read_as_it_is() -> None:
    assert read_answer(as_text(make_answer())).scenarios == (make_answer(),)


@pytest.mark.parametrize(
    "change",
    [
        {"symptoms": []},
        {"symptoms": "Error text contains 401"},
        {"diagnosis": ["", "Look at the error body of the node"]},
        {"diagnosis": [None]},
        {"diagnosis": None},
        {"remediation": ["x" * (LONGEST_LINE + 1)]},
        {"remediation": ["Do this and that at the node"] * (MOST_LINES + 1)},
    ],
)
def test_a_malformed_scenario_is_told_by_its_key_and_does_not_spoil_the_others(change: dict[str, Any]) -> None:
    bad = {**make_answer().model_dump(), "scenario_id": "other", **change}
    answer = read_answer(as_text(bad, make_answer()))
    assert [one.key for one in answer.scenarios] == [(STRIPE, AUTH)]
    assert list(answer.malformed) == [(STRIPE, "other")]
    assert next(iter(change)) in answer.malformed[STRIPE, "other"]


@pytest.mark.parametrize("text", ["I cannot do that.", '{"scenarios": "none"}', "{}", '{"scenarios": null}'])
def test_an_answer_without_scenarios_says_so(text: str) -> None:
    assert read_answer(text).problem
    assert not read_answer(text).scenarios


@pytest.mark.parametrize("item", [None, 1, "x", [], {}])
def test_a_scenario_that_is_none_is_left_out(item: Any) -> None:
    answer = read_answer(json.dumps({"scenarios": [item, make_answer().model_dump()]}))
    assert len(answer.scenarios) == 1


def test_the_last_scenario_of_a_cut_answer_is_not_trusted() -> None:
    whole = as_text(make_answer(), make_answer(scenario_id="second"))
    cut = whole[: whole.rindex("Undo:")]
    assert [one.scenario_id for one in read_answer(cut, cut=True).scenarios] == [AUTH]
    assert [one.scenario_id for one in read_answer(cut).scenarios] == [AUTH]
