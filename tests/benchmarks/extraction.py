"""Analysis of 2,000 workflows (30,000 nodes), and of one with 10,000 nodes, on one core. Bars: 10 s, 1 s."""

import random
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from runbooks.adapters.node_knowledge import load_node_knowledge
from runbooks.core.definition import parse_definition
from runbooks.core.diagram import mermaid
from runbooks.core.integrations import extract_integrations
from runbooks.core.workflow import Workflow
from tests.benchmarks.table import Figure, at_most

WORKFLOWS, NODES = 2_000, 15
LARGE = 10_000
BAR_ALL, BAR_LARGE = 10.0, 1.0
TYPES: dict[str, dict[str, Any]] = {
    "n8n-nodes-base.httpRequest": {"url": "=https://api.stripe.com/v1/charges/{{ $json.id }}", "method": "POST"},
    "n8n-nodes-base.httpRequestTool": {"url": "={{ $env.PARTNER_URL }}/v2/orders"},
    "n8n-nodes-base.slack": {"operation": "post", "channel": "#alerts"},
    "n8n-nodes-base.postgres": {"operation": "executeQuery", "query": "INSERT INTO a VALUES (1)"},
    "n8n-nodes-base.set": {"values": {}},
    "n8n-nodes-base.if": {"conditions": {}},
    "@n8n/n8n-nodes-langchain.lmChatOpenAi": {"model": "some-model"},
}


def export(seed: int, size: int, branches: int) -> dict[str, Any]:
    """A workflow whose nodes follow one another, with further connections between any two."""
    chance = random.Random(seed)
    names = [f"Step {seed}-{number}" for number in range(size)]
    nodes = [
        {"name": name, "type": kind, "parameters": TYPES[kind]}
        for name, kind in ((name, chance.choice(list(TYPES))) for name in names)
    ]
    pairs = [*pairwise(names), *((chance.choice(names), chance.choice(names)) for _ in range(branches))]
    connections: dict[str, Any] = {}
    for source, target in pairs:
        connections.setdefault(source, {"main": [[]]})["main"][0].append({"node": target})
    return {"name": f"Workflow {seed}", "nodes": nodes, "connections": connections}


def timed(what: str, workflows: list[Workflow], bar: float) -> Figure:
    """How long the analysis takes, and the pictures."""
    begin = time.process_time()
    found = [extract_integrations(workflow, knowledge=load_node_knowledge()) for workflow in workflows]
    analysed = time.process_time()
    for workflow, integrations in zip(workflows, found, strict=True):
        mermaid(workflow, integrations)
    drawn = time.process_time()
    count = sum(map(len, found))
    return at_most(
        bar,
        analysed - begin,
        "s of processor",
        f"analysis of {what}",
        f"{count:,} integrations; pictures take another {drawn - analysed:.2f} s",
    )


def figures() -> Iterator[Figure]:
    """Processor times; reading the definitions is not counted."""
    yield timed(
        f"{WORKFLOWS:,} workflows, {WORKFLOWS * NODES:,} nodes",
        [parse_definition(export(seed, NODES, 3)) for seed in range(WORKFLOWS)],
        BAR_ALL,
    )
    yield timed(f"one workflow of {LARGE:,} nodes", [parse_definition(export(0, LARGE, LARGE))], BAR_LARGE)
