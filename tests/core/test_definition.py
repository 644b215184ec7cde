"""Definitions of both dialects, good, odd and bad."""

import json
import subprocess
import sys
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.core.definition import definition_hash, parse_definition
from runbooks.core.workflow import Dialect, Edge, Workflow
from runbooks.errors import DefinitionError

LINKFLOW: dict[str, Any] = {
    "id": 7,
    "name": "Orders",
    "description": "Charges the card",
    "trigger_type": "webhook",
    "trigger_config": {"path": "orders"},
    "nodes": [
        {
            "id": "trigger_1",
            "type": "trigger_webhook",
            "position": {"x": 0, "y": 0},
            "data": {"config": {}, "label": "In"},
        },
        {
            "id": "http_stripe",
            "type": "action_http_request",
            "position": {"x": 1, "y": 2},
            "data": {"config": {"url": "https://api.stripe.com/v1/charges", "timeout": "20"}, "label": "Charge card"},
            "settings": {"max_attempts": 4, "continue_on_error": True},
        },
        {"id": 3, "type": "slack", "config": {"channel": "#ops"}, "label": "Tell ops"},
        {"id": "log", "type": "output_log", "name": "Log", "disabled": True},
    ],
    "edges": [
        {"id": "e1", "source": "trigger_1", "target": "http_stripe"},
        {"id": "e2", "source": "http_stripe", "target": 3, "sourceHandle": "error"},
        {"id": "e3", "source": "http_stripe", "target": "log", "handle": "true"},
    ],
    "settings": {"retry": {"enabled": True, "max_attempts": 3}, "timeout": {"workflow": 300, "node": "60"}},
}

N8N: dict[str, Any] = {
    "id": "AbC",
    "name": "Leads",
    "nodes": [
        {"name": "Start", "type": "n8n-nodes-base.manualTrigger", "typeVersion": 1, "position": [0, 0]},
        {"name": "Every hour", "type": "n8n-nodes-base.cron", "parameters": {"rule": "hourly"}, "position": [0, 9]},
        {
            "name": "Fetch",
            "type": "n8n-nodes-base.httpRequest",
            "parameters": {"url": "https://api.example.com", "options": {"timeout": 5000}},
            "credentials": {
                "httpHeaderAuth": {"id": "1", "name": "CRM key"},
                "oldApi": "old name",
                "noName": {"id": None},
            },
            "retryOnFail": True,
            "onError": "continueErrorOutput",
            "position": [1, 1],
        },
        {"name": "Agent", "type": "@n8n/n8n-nodes-langchain.agent", "parameters": {}, "continueOnFail": True},
        {"name": "Model", "type": "@n8n/n8n-nodes-langchain.lmChatOpenAi", "disabled": True, "retryOnFail": False},
        {"name": "Note", "type": "n8n-nodes-base.stickyNote", "parameters": {"content": "hello"}},
    ],
    "connections": {
        "Start": {"main": [[{"node": "Fetch", "type": "main", "index": 0}]]},
        "Every hour": {"main": [[{"node": "Fetch", "type": "main", "index": 0}]]},
        "Fetch": {"main": [[{"node": "Agent", "type": "main", "index": 0}], [{"node": "Start", "type": "main"}]]},
        "Model": {"ai_languageModel": [[{"node": "Agent", "type": "ai_languageModel", "index": 0}]]},
    },
    "settings": {"executionTimeout": 120},
    "pinData": {"Fetch": [{"json": {"x": 1}}]},
}


def linkflow(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(LINKFLOW)), **changes}


def n8n(**changes: Any) -> dict[str, Any]:
    return {**json.loads(json.dumps(N8N)), **changes}


def links(workflow: Workflow) -> list[tuple[str, str, str]]:
    return [(edge.source, edge.target, edge.kind) for edge in workflow.edges]


def test_a_linkflow_definition_is_read() -> None:
    workflow = parse_definition(LINKFLOW)
    assert (workflow.id, workflow.name, workflow.description) == ("7", "Orders", "Charges the card")
    assert workflow.dialect is Dialect.LINKFLOW
    assert (workflow.trigger_type, workflow.trigger_config) == ("webhook", {"path": "orders"})
    assert (workflow.timeout_s, workflow.node_timeout_s, workflow.max_attempts) == (300, 60, 3)
    assert [(node.key, node.label) for node in workflow.nodes] == [
        ("trigger_1", "In"),
        ("http_stripe", "Charge card"),
        ("3", "Tell ops"),
        ("log", "Log"),
    ]
    stripe = workflow.node("http_stripe")
    assert stripe.config == {"url": "https://api.stripe.com/v1/charges", "timeout": "20"}
    assert (stripe.timeout_s, stripe.max_attempts, stripe.continue_on_error, stripe.has_error_output) == (
        20,
        4,
        True,
        True,
    )
    assert workflow.node("3").config == {"channel": "#ops"}
    assert workflow.node("log").disabled
    assert links(workflow) == [
        ("trigger_1", "http_stripe", "main"),
        ("http_stripe", "3", "error"),
        ("http_stripe", "log", "main"),
    ]
    assert workflow.edges[2].handle == "true"
    assert workflow.problems == ()


def test_an_n8n_export_is_read() -> None:
    workflow = parse_definition(N8N)
    assert (workflow.id, workflow.name, workflow.dialect) == ("AbC", "Leads", Dialect.N8N)
    assert (workflow.trigger_type, workflow.trigger_config) == ("schedule", {"rule": "hourly"})
    assert workflow.timeout_s == 120
    assert [node.key for node in workflow.nodes] == ["Start", "Every hour", "Fetch", "Agent", "Model"]
    fetch = workflow.node("Fetch")
    assert fetch.credentials == {"httpHeaderAuth": "CRM key", "oldApi": "old name", "noName": ""}
    assert (fetch.timeout_s, fetch.max_attempts, fetch.has_error_output, fetch.continue_on_error) == (5, 3, True, False)
    assert workflow.node("Agent").continue_on_error
    assert (workflow.node("Model").disabled, workflow.node("Model").max_attempts) == (True, 1)
    assert links(workflow) == [
        ("Start", "Fetch", "main"),
        ("Every hour", "Fetch", "main"),
        ("Fetch", "Agent", "main"),
        ("Fetch", "Start", "error"),
        ("Model", "Agent", "ai_languageModel"),
    ]
    assert workflow.problems == ()


def test_what_the_caller_knows_wins() -> None:
    workflow = parse_definition(
        LINKFLOW,
        workflow_id="a",
        workspace_id="w",
        name="N",
        description="D",
        trigger_type="manual",
        version="4",
        owner="Ada",
    )
    assert (workflow.id, workflow.workspace_id, workflow.name, workflow.description) == ("a", "w", "N", "D")
    assert (workflow.trigger_type, workflow.version, workflow.owner) == ("manual", "4", "Ada")


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: {"workflow": inner},
        lambda inner: {"data": inner},
        lambda inner: {"data": {"workflow": inner}},
        lambda inner: {"id": 9, "workflowData": inner},
        lambda inner: {"workflow": {"name": "Leads", "workflow": {**inner, "name": None}}},
        lambda inner: {**inner, "nodes": json.dumps(inner["nodes"]), "connections": json.dumps(inner["connections"])},
    ],
)
def test_a_wrapped_definition_is_found(wrap: Any) -> None:
    workflow = parse_definition(wrap(n8n()))
    assert (workflow.name, len(workflow.nodes), len(workflow.edges)) == ("Leads", 5, 5)


@pytest.mark.parametrize(
    ("node", "config", "label"),
    [
        ({"data": {"config": {"url": "u"}, "label": "L"}}, {"url": "u"}, "L"),
        ({"data": {"config": {"url": "u"}}, "label": "L"}, {"url": "u"}, "L"),
        ({"config": {"url": "u"}, "name": "L"}, {"url": "u"}, "L"),
        (
            {"data": {"config": {"url": "inner"}}, "config": {"url": "outer", "method": "GET"}},
            {"url": "inner", "method": "GET"},
            "x",
        ),
        ({"data": {"url": "u", "label": "L", "selected": True}}, {"url": "u"}, "L"),
        ({"data": {"config": []}, "config": []}, {}, "x"),
        ({"data": None, "config": None}, {}, "x"),
        ({"data": {"config": '{"url": "u"}', "label": " "}}, {"url": "u"}, "x"),
    ],
)
def test_settings_and_label_may_stand_in_several_places(node: dict[str, Any], config: Any, label: str) -> None:
    workflow = parse_definition({"nodes": [{"id": "x", "type": "http_request", **node}], "edges": []})
    assert (workflow.nodes[0].config, workflow.nodes[0].label) == (config, label)


@pytest.mark.parametrize(
    ("fields", "attempts", "goes_on"),
    [
        ({}, None, False),
        ({"max_attempts": "5"}, 5, False),
        ({"data": {"maxAttempts": 2, "continueOnError": True}}, 2, True),
        ({"data": {"config": {"retry": {"enabled": False, "max_attempts": 5}}}}, 1, False),
        ({"data": {"config": {"error_handling": {"continue_on_error": "true", "max_attempts": 0}}}}, 1, True),
        ({"data": {"config": {"on_error": "continue"}}}, None, True),
        ({"data": {"config": {"on_error": "stop", "max_attempts": "many"}}}, None, False),
    ],
)
def test_error_handling_of_a_linkflow_node(fields: dict[str, Any], attempts: int | None, goes_on: bool) -> None:
    node = parse_definition({"nodes": [{"id": "x", "type": "t", **fields}], "edges": []}).nodes[0]
    assert (node.max_attempts, node.continue_on_error) == (attempts, goes_on)


@pytest.mark.parametrize(
    ("settings", "limits"),
    [
        ({"retry": {"enabled": False, "max_attempts": 3}}, (None, None, None)),
        ({"retry": {"max_attempts": 3}, "timeout": 90}, (90, None, 3)),
        ({"timeout": {"workflow": 0, "node": -1}}, (None, None, None)),
        ({"retry": "often", "timeout": "soon"}, (None, None, None)),
        ([], (None, None, None)),
        (None, (None, None, None)),
        ("{}", (None, None, None)),
    ],
)
def test_limits_of_a_linkflow_workflow(settings: Any, limits: tuple[Any, ...]) -> None:
    workflow = parse_definition(linkflow(settings=settings))
    assert (workflow.timeout_s, workflow.node_timeout_s, workflow.max_attempts) == limits


@pytest.mark.parametrize(
    ("types", "trigger"),
    [
        (["manualTrigger"], "manual"),
        (["start"], "manual"),
        (["manualTrigger", "webhook"], "webhook"),
        (["formTrigger"], "webhook"),
        (["scheduleTrigger"], "schedule"),
        (["interval"], "schedule"),
        (["gmailTrigger"], "event"),
        (["emailReadImap"], "event"),
        (["httpRequest", "set"], ""),
    ],
)
def test_the_trigger_of_an_n8n_workflow_is_told_from_its_nodes(types: list[str], trigger: str) -> None:
    nodes = [{"name": name, "type": f"n8n-nodes-base.{name}"} for name in types]
    assert parse_definition({"nodes": nodes, "connections": {}}).trigger_type == trigger


def test_a_disabled_trigger_does_not_count() -> None:
    nodes = [
        {"name": "a", "type": "n8n-nodes-base.webhook", "disabled": True},
        {"name": "b", "type": "n8n-nodes-base.manualTrigger"},
    ]
    assert parse_definition({"nodes": nodes}).trigger_type == "manual"


@pytest.mark.parametrize(
    ("tries", "expected"),
    [({}, 3), ({"maxTries": 2}, 2), ({"maxTries": "4"}, 4), ({"maxTries": 50}, 5), ({"maxTries": 1}, 2)],
)
def test_tries_of_an_n8n_node_stay_within_the_engine_s_bounds(tries: dict[str, Any], expected: int) -> None:
    node = {"name": "a", "type": "n8n-nodes-base.set", "retryOnFail": True, **tries}
    assert parse_definition({"nodes": [node]}).nodes[0].max_attempts == expected


@pytest.mark.parametrize(
    ("outputs", "edges"),
    [
        ({"main": [[{"node": "b"}]]}, [("a", "b", "main")]),
        ({"main": [None, [{"node": "b"}]]}, [("a", "b", "main")]),
        ({"main": [{"node": "b"}]}, [("a", "b", "main")]),
        ({"main": {"0": [{"node": "b"}]}}, [("a", "b", "main")]),
        ({"main": {"node": "b"}}, [("a", "b", "main")]),
        ({"main": [["b"]]}, [("a", "b", "main")]),
        ({"main": "b"}, [("a", "b", "main")]),
        ([[{"node": "b"}]], [("a", "b", "main")]),
        ({"onError": [[{"node": "b"}]]}, [("a", "b", "error")]),
        ({"main": [[{"node": "id-of-b"}]]}, [("a", "b", "main")]),
        ({"main": [[{"node": "b"}, {"node": "b"}]]}, [("a", "b", "main")]),
        ({"main": None}, []),
        ({"main": []}, []),
        (None, []),
    ],
)
def test_connections_of_odd_shapes_are_read(outputs: Any, edges: list[tuple[str, str, str]]) -> None:
    nodes = [
        {"name": "a", "type": "n8n-nodes-base.function"},
        {"name": "b", "id": "id-of-b", "type": "n8n-nodes-base.set"},
    ]
    workflow = parse_definition({"nodes": nodes, "connections": {"a": outputs}})
    assert links(workflow) == edges
    assert workflow.problems == ()


def test_the_outputs_of_a_branch_are_no_error_outputs() -> None:
    nodes = [{"name": "if", "type": "n8n-nodes-base.if", "onError": "continueErrorOutput"}]
    nodes += [{"name": name, "type": "n8n-nodes-base.set"} for name in ("yes", "no", "failed")]
    connections = {"if": {"main": [[{"node": "yes"}], [{"node": "no"}], [{"node": "failed"}]]}}
    assert [edge.kind for edge in parse_definition({"nodes": nodes, "connections": connections}).edges] == [
        "main",
        "main",
        "error",
    ]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"nodes": None}, "`nodes` is not a list but null"),
        ({"nodes": {"a": 1}}, "`nodes` is not a list but an object"),
        ({"nodes": "text"}, "`nodes` is not a list but a string"),
        ({"nodes": True}, "`nodes` is not a list but a boolean"),
        ({"nodes": 3}, "`nodes` is not a list but a number"),
        ({"nodes": [1, None, "a"]}, "`nodes` holds no object"),
    ],
)
def test_a_definition_without_nodes_to_read_is_an_error(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(DefinitionError, match=reason):
        parse_definition(linkflow(**changes))


@pytest.mark.parametrize(
    "document", [None, 3, "text", [], {}, {"data": []}, {"workflow": None}, {"workflow": {"data": {}}}]
)
def test_what_is_no_definition_is_an_error(document: Any) -> None:
    with pytest.raises(DefinitionError, match="an object with a list `nodes` is expected"):
        parse_definition(document)


def test_odd_parts_are_reported_and_the_rest_is_read() -> None:
    workflow = parse_definition(
        {
            "nodes": [
                {"id": "a", "type": "http_request"},
                "not a node",
                {"id": "a", "type": "slack", "label": "second"},
                {"id": "b"},
                {"type": "email"},
            ],
            "edges": [
                {"source": "a", "target": "b"},
                {"source": "a", "target": "nowhere"},
                {"source": "b"},
                7,
                *({"source": f"x{number}", "target": "a"} for number in range(50)),
            ],
        }
    )
    assert [(node.key, node.type) for node in workflow.nodes] == [("a", "slack"), ("b", "unknown"), ("node-5", "email")]
    assert links(workflow) == [("a", "b", "main")]
    assert workflow.problems == (
        "entries of `nodes` that are no objects were left out: entry 2 (a string)",
        "nodes share an id, the last one counts: a",
        "nodes without a type cannot be judged: b",
        "nodes without an id are called by their place in the list: node-5",
        "edges lead from or to a node that does not exist: a → nowhere, b → ?, ? → ? and 50 more",
    )


def test_edges_that_are_no_list_leave_the_nodes() -> None:
    workflow = parse_definition(linkflow(edges={"a": "b"}))
    assert len(workflow.nodes) == 4
    assert workflow.edges == ()
    assert workflow.problems == ("`edges` is not a list: how the nodes are connected is unknown",)


def test_a_workflow_without_nodes_is_read_and_reported() -> None:
    assert parse_definition(linkflow(nodes=[], edges=[])).problems == ("the workflow has no nodes",)


def test_problems_hold_no_secret() -> None:
    token = "gh" + "p_" + "a1B2c3D4e5" * 4
    workflow = parse_definition(linkflow(edges=[{"source": "log", "target": token}]))
    assert workflow.problems == ("edges lead from or to a node that does not exist: log → <secret:github_token>",)


def test_what_no_database_can_hold_is_taken_out() -> None:
    document = linkflow(name="a\0b\ud800c", description="ok ✓")
    document["nodes"][1]["data"]["config"] = {
        "n\0": float("nan"),
        "i": [float("inf"), 1.5],
        "s": "\udfff",
        "big": 10**5000,
    }
    workflow = parse_definition(document)
    assert (workflow.name, workflow.description) == ("abc", "ok ✓")
    assert workflow.node("http_stripe").config == {"n": None, "i": [None, 1.5], "s": "", "big": None}
    assert definition_hash(workflow)


def test_a_document_that_nests_too_deep_is_an_error() -> None:
    bomb: Any = {}
    for _ in range(900):
        bomb = {"x": [bomb]}
    with pytest.raises(DefinitionError, match="nested deeper than 100 levels"):
        parse_definition(linkflow(settings=bomb))


def test_values_that_json_does_not_have_are_an_error() -> None:
    with pytest.raises(DefinitionError, match="a value that JSON does not have: set"):
        parse_definition(linkflow(settings={"x": {1}}))


@pytest.mark.parametrize("dialect", ["linkflow", "n8n"])
def test_ten_thousand_nodes_take_less_than_a_second_or_so(dialect: str) -> None:
    names = [f"node {number}" for number in range(10_000)]
    pairs = list(pairwise(names))
    config = {"url": "https://api.example.com/v1/items", "headers": {"Accept": "application/json"}}
    if dialect == "linkflow":
        nodes = [{"id": name, "type": "http_request", "data": {"config": config}} for name in names]
        document = {"nodes": nodes, "edges": [{"source": a, "target": b} for a, b in pairs]}
    else:
        nodes = [{"name": name, "type": "n8n-nodes-base.httpRequest", "parameters": config} for name in names]
        document = {"nodes": nodes, "connections": {a: {"main": [[{"node": b}]]} for a, b in pairs}}
    started = time.perf_counter()
    workflow = parse_definition(document)
    assert (len(workflow.nodes), len(workflow.edges)) == (10_000, 9_999)
    assert len(definition_hash(workflow)) == 64
    assert time.perf_counter() - started < 3  # a third of that on an idle machine


def test_five_megabytes_are_read() -> None:
    document = linkflow()
    document["nodes"][1]["data"]["config"]["body"] = [{"text": "x" * 90, "number": number} for number in range(45_000)]
    assert len(json.dumps(document)) > 5_000_000
    started = time.perf_counter()
    assert len(parse_definition(document).nodes) == 4
    assert time.perf_counter() - started < 3


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["a", "n8n-nodes-base.if", "{"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["nodes", "edges", "connections", "data", "config", "id", "name", "type", "settings", "source"]
            )
            | st.sampled_from(
                ["target", "main", "node", "parameters", "options", "timeout", "retry", "workflow", "credentials"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=40,
)
NODE = st.dictionaries(
    st.sampled_from(
        ["id", "name", "type", "data", "config", "parameters", "credentials", "disabled", "onError", "label"]
    ),
    JSON,
)


@given(
    JSON
    | st.fixed_dictionaries(
        {"nodes": st.lists(NODE | JSON, max_size=4)},
        optional={
            "edges": JSON,
            "connections": JSON,
            "settings": JSON,
            "trigger": JSON,
            "trigger_config": JSON,
            "name": JSON,
            "id": JSON,
        },
    )
)
def test_any_json_is_read_or_refused(document: Any) -> None:
    try:
        workflow = parse_definition(document)
    except DefinitionError:
        return
    keys = {node.key for node in workflow.nodes}
    assert len(keys) == len(workflow.nodes)
    assert all(edge.source in keys and edge.target in keys for edge in workflow.edges)
    workflow.model_dump_json().encode()
    assert "\0" not in "".join(workflow.problems)
    assert definition_hash(workflow) == definition_hash(parse_definition(document))


# --- sameness ---


def moved(document: dict[str, Any]) -> dict[str, Any]:
    for number, node in enumerate(document["nodes"]):
        node["position"] = {"x": number * 7, "y": 1}
        node["width"] = 200
    document["viewport"] = {"x": 1, "y": 2, "zoom": 0.5}
    return document


def reordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: reordered(value[key]) for key in reversed(value)}
    return [reordered(item) for item in value] if isinstance(value, list) else value


def test_layout_and_order_do_not_change_the_hash() -> None:
    for document in (LINKFLOW, N8N):
        same = definition_hash(parse_definition(document))
        assert definition_hash(parse_definition(moved(json.loads(json.dumps(document))))) == same
        assert definition_hash(parse_definition(reordered(document))) == same
        turned = {**document, "nodes": document["nodes"][::-1]}
        assert definition_hash(parse_definition({**turned, "trigger_config": document.get("trigger_config")})) == same
    renumbered = [{**edge, "id": f"other-{number}"} for number, edge in enumerate(LINKFLOW["edges"])]
    assert definition_hash(parse_definition(linkflow(edges=renumbered))) == definition_hash(parse_definition(LINKFLOW))
    assert definition_hash(parse_definition(n8n(pinData={}, versionId="x", meta={}))) == definition_hash(
        parse_definition(N8N)
    )


def test_who_asks_does_not_change_the_hash() -> None:
    asked = parse_definition(LINKFLOW, workflow_id="other", workspace_id="w", version="9", owner="Ada")
    assert definition_hash(asked) == definition_hash(parse_definition(LINKFLOW))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "Orders 2"},
        {"description": "Refunds the card"},
        {"trigger_type": "schedule"},
        {"trigger_config": {"path": "orders2"}},
        {"edges": LINKFLOW["edges"][:2]},
        {"edges": [*LINKFLOW["edges"][:2], {**LINKFLOW["edges"][2], "handle": "false"}]},
        {"nodes": LINKFLOW["nodes"][:3]},
        {"nodes": [*LINKFLOW["nodes"][:3], {**LINKFLOW["nodes"][3], "disabled": False}]},
        {"nodes": [*LINKFLOW["nodes"][:3], {**LINKFLOW["nodes"][3], "name": "Log it"}]},
        {"nodes": [*LINKFLOW["nodes"][:3], {**LINKFLOW["nodes"][3], "type": "transform"}]},
        {"nodes": [*LINKFLOW["nodes"][:3], {**LINKFLOW["nodes"][3], "config": {"level": "info"}}]},
        {"settings": {**LINKFLOW["settings"], "timeout": {"workflow": 301}}},
        {"settings": {**LINKFLOW["settings"], "retry": {"enabled": False}}},
    ],
)
def test_what_a_runbook_is_made_from_changes_the_hash(changes: dict[str, Any]) -> None:
    assert definition_hash(parse_definition(linkflow(**changes))) != definition_hash(parse_definition(LINKFLOW))


def test_the_hash_is_the_same_in_another_process() -> None:
    code = (
        "import json, sys; from runbooks.core.definition import *; "
        "print(definition_hash(parse_definition(json.load(sys.stdin))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(N8N), capture_output=True, text=True, env={"PYTHONHASHSEED": "7"}
    )
    assert done.stdout.strip() == definition_hash(parse_definition(N8N)), done.stderr


def test_an_edge_is_told_once() -> None:
    workflow = parse_definition(linkflow(edges=[LINKFLOW["edges"][0]] * 3))
    assert workflow.edges == (Edge(source="trigger_1", target="http_stripe"),)
