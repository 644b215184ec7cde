"""What runs before a node, what does not run when it fails."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.core.graph import LONGEST_LIST, Graph
from runbooks.core.workflow import Edge, Node, Workflow


def graph_of(*edges: str, disabled: tuple[str, ...] = (), alone: tuple[str, ...] = ()) -> Graph:
    """`a b` is an edge, `a b error` one of another kind."""
    parts = [edge.split() for edge in edges]
    keys = dict.fromkeys([key for source, target, *_ in parts for key in (source, target)] + list(alone))
    return Graph(
        Workflow(
            id="w",
            name="w",
            nodes=tuple(Node(key=key, type="t", label=key, disabled=key in disabled) for key in keys),
            edges=tuple(Edge(source=one[0], target=one[1], kind=one[2] if len(one) > 2 else "main") for one in parts),
        )
    )


def test_upstream_and_downstream_are_nearest_first() -> None:
    graph = graph_of("a b", "b c", "c d", "a c")
    assert graph.upstream("d") == ("c", "b", "a")
    assert graph.downstream("a") == ("b", "c", "d")


def test_a_node_of_a_cycle_is_not_its_own_neighbour() -> None:
    graph = graph_of("start loop", "loop work", "work loop", "loop done")
    assert graph.downstream("work") == ("loop", "done")
    assert graph.upstream("work") == ("loop", "start")


def test_the_error_branch_runs_when_the_node_fails() -> None:
    graph = graph_of("a call", "call next", "call alarm error", "next end", "alarm end")
    assert graph.downstream("call") == ("next",)
    assert graph.error_branch("call") == ("alarm", "end")
    assert graph.upstream("alarm") == ("call", "a")


def test_disabled_nodes_pass_through_and_are_not_named() -> None:
    graph = graph_of("a off", "off b", disabled=("off",))
    assert graph.downstream("a") == ("b",)
    assert graph.upstream("b") == ("a",)


def test_a_model_is_upstream_of_its_agent_and_stops_what_follows_it() -> None:
    graph = graph_of("trigger agent", "model agent ai_languageModel", "agent mail")
    assert "model" in graph.upstream("agent")
    assert graph.downstream("model") == ("agent", "mail")


def test_what_runs_before_an_agent_has_run_before_its_model() -> None:
    graph = graph_of("trigger charge", "charge agent", "model agent ai_languageModel", "tool agent ai_tool")
    assert graph.upstream("model") == ("charge", "tool", "trigger")


def test_a_sub_node_of_a_sub_node_belongs_to_the_same_root() -> None:
    graph = graph_of("trigger agent", "store agent ai_tool", "embedding store ai_embedding", "agent mail")
    assert graph.downstream("embedding") == ("store", "agent", "mail")
    assert "trigger" in graph.upstream("embedding")


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        (("a b", "b c"), {"a", "b", "c"}),
        (("a b", "a c", "b d", "c d"), {"a", "d"}),
        (("a b", "a c"), {"a"}),
        (("a c", "b c", "c d"), {"c", "d"}),
        (("a b", "b c", "c b", "c d"), {"a", "d"}),
        (("a agent", "model agent ai_languageModel", "agent d"), {"a", "agent", "d"}),
    ],
    ids=["chain", "diamond", "fork", "two starts", "cycle", "sub-node"],
)
def test_bottlenecks_are_on_every_way(edges: tuple[str, ...], expected: set[str]) -> None:
    assert graph_of(*edges).bottlenecks() == expected


def test_a_node_without_edges_changes_no_bottleneck() -> None:
    assert graph_of("a b", alone=("note",)).bottlenecks() == {"a", "b"}


def test_a_sub_node_shares_the_position_of_its_root() -> None:
    graph = graph_of("a agent", "model agent ai_languageModel", "agent d")
    assert graph.serves_one_of_all_ways("model")
    assert not graph.serves_one_of_all_ways("a")


def test_wanted_nodes_before_a_node_come_nearest_first_with_itself_in_front() -> None:
    graph = graph_of("a b", "b c", "c d", "d e")
    found = graph.nearest_before(lambda key: key in {"a", "c", "e"})
    assert found["e"] == ("e", "c", "a")
    assert found["b"] == ("a",)


def test_wanted_nodes_of_a_loop_have_run_in_earlier_rounds() -> None:
    graph = graph_of("start loop", "loop read", "read write", "write loop")
    assert graph.nearest_before(lambda key: key == "write")["read"] == ("write",)


def test_tools_of_an_agent_may_have_run_before_its_model_fails() -> None:
    graph = graph_of("t agent", "model agent ai_languageModel", "mail agent ai_tool")
    assert graph.nearest_before(lambda key: key == "mail")["model"] == ("mail",)


def test_lists_are_bounded_however_large_the_workflow() -> None:
    graph = graph_of(*(f"hub n{number}" for number in range(200)))
    assert len(graph.downstream("hub")) == LONGEST_LIST


@pytest.mark.parametrize("shape", ["chain", "star", "cycle", "mesh"])
def test_ten_thousand_nodes_take_less_than_a_second(shape: str) -> None:
    size = 10_000
    pairs = {
        "chain": [(number, number + 1) for number in range(size - 1)],
        "star": [(0, number) for number in range(1, size)] + [(number, size - 1) for number in range(1, size - 1)],
        "cycle": [(number, (number + 1) % size) for number in range(size)],
        "mesh": [(number, number + step) for number in range(size) for step in (1, 7) if number + step < size],
    }[shape]
    workflow = Workflow(
        id="w",
        name="w",
        nodes=tuple(Node(key=str(number), type="t", label="") for number in range(size)),
        edges=tuple(Edge(source=str(source), target=str(target)) for source, target in pairs),
    )
    begin = time.process_time()
    graph = Graph(workflow)
    graph.nearest_before(lambda key: key.endswith("3"))
    for number in range(size):
        graph.upstream(str(number))
        graph.downstream(str(number))
    assert time.process_time() - begin < 1


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=60))
def test_any_graph_can_be_walked(pairs: list[tuple[int, int]]) -> None:
    graph = graph_of(*(f"n{source} n{target}" for source, target in pairs), alone=("n0",))
    for key in graph.keys:
        assert key not in graph.upstream(key)
        assert key not in graph.downstream(key)
        for other in graph.downstream(key):
            assert key in graph.upstream(other)
