"""Scoring extraction against judged workflows."""

import pytest

from runbooks.core.extraction_score import JudgedNode, same_service, score_file, total
from runbooks.core.integration import Integration, IntegrationKind
from runbooks.core.workflow import Node


def integration(key: str, service: str = "Slack", host: str | None = None) -> Integration:
    return Integration(
        node_key=key,
        node_label=key,
        node_type="t",
        service=service,
        service_id="s",
        kind=IntegrationKind.OTHER,
        host=host,
    )


NODES = {key: Node(key=key, type=f"type-{key}", label=key) for key in "abcd"}


def test_found_missed_and_invented_are_counted() -> None:
    truth = [JudgedNode(node_key=key, external=key != "c") for key in "abc"]
    score = score_file("f", truth, NODES, [integration("a"), integration("c"), integration("d")])
    assert (score.recall, score.precision) == (0.5, 0.5)
    assert {(miss.what, miss.node_type) for miss in score.misses} == {("missed", "type-b"), ("invented", "type-c")}


def test_a_node_that_nobody_judged_does_not_count() -> None:
    score = score_file("f", [], NODES, [integration("a")])
    assert (score.recall, score.precision, score.misses) == (None, None, ())


def test_hosts_and_services_are_scored_where_the_truth_names_them() -> None:
    truth = [
        JudgedNode(node_key="a", external=True, service="Stripe", host="api.stripe.com"),
        JudgedNode(node_key="b", external=True, service="GitHub"),
    ]
    found = [integration("a", "Stripe API", "api.stripe.example"), integration("b", "Slack")]
    score = score_file("f", truth, NODES, found)
    assert (score.host_accuracy, score.service_accuracy) == (0, 0.5)
    assert [miss.what for miss in score.misses] == ["host", "service"]


def test_scores_of_files_add_up_and_the_worst_come_first() -> None:
    truth = [JudgedNode(node_key=key, external=True) for key in "ab"]
    whole = total(
        [score_file("1", truth, NODES, []), score_file("2", truth, NODES, [integration("b")])],
    )
    assert (whole.files, whole.found, whole.missed) == (2, 1, 3)
    assert whole.worst(1) == [("missed", "type-a", 2)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Stripe API", "stripe", True),
        ("Google Sheets", "googleSheets", True),
        ("X (Formerly Twitter)", "Slack", False),
        ("RSS", "RSS feed example.com", True),
        ("API", "Slack", False),
    ],
)
def test_spelling_does_not_part_services(one: str, other: str, same: bool) -> None:
    assert same_service(one, other) is same
