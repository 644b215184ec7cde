"""`runbooks preview` of 100 n8n exports. Bar: 5 s."""

import json
import random
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import measure
from tests.benchmarks.table import Figure, at_most

FILES = 100
BAR = 5.0
TYPES = {
    "n8n-nodes-base.httpRequest": {"url": "https://api.stripe.com/v1/charges", "method": "POST"},
    "n8n-nodes-base.slack": {"operation": "post", "channel": "#alerts"},
    "n8n-nodes-base.googleSheets": {"operation": "append"},
    "n8n-nodes-base.postgres": {"operation": "executeQuery", "query": "SELECT 1"},
    "n8n-nodes-base.emailSend": {"toEmail": "ops@example.com"},
    "n8n-nodes-base.set": {"values": {}},
    "n8n-nodes-base.if": {"conditions": {}},
}


def export(seed: int) -> dict[str, Any]:
    """A workflow of 10 to 20 nodes in a row."""
    chance = random.Random(seed)
    names = [f"Step {number}" for number in range(chance.randint(10, 20))]
    nodes = [{"name": "Start", "type": "n8n-nodes-base.webhook", "parameters": {"path": "in"}}]
    for name in names:
        kind = chance.choice(list(TYPES))
        nodes.append({"name": name, "type": kind, "parameters": TYPES[kind]})
    row = ["Start", *names]
    connections = {
        source: {"main": [[{"node": target, "type": "main", "index": 0}]]} for source, target in pairwise(row)
    }
    return {"name": f"Workflow {seed}", "nodes": nodes, "connections": connections}


def figures() -> Iterator[Figure]:
    """The time of one run over all files, as JSON and as pages."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / f"{seed}.json" for seed in range(FILES)]
        for seed, file in enumerate(files):
            file.write_text(json.dumps(export(seed)))
        as_json = measure("preview", *files, "--format", "json")
        sections = sum(len(one["runbook"]["sections"]) for one in json.loads(as_json.stdout))
        yield at_most(BAR, as_json.seconds, "s", f"`runbooks preview` of {FILES} exports", f"{sections} sections")
        pages = measure("preview", *files, "--out", Path(folder) / "out")
        yield at_most(BAR, pages.seconds, "s", f"the same, as {FILES} files of Markdown")
