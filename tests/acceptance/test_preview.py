"""`runbooks preview`: the quickest way in, for somebody who has never heard of us."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import runbooks

EXAMPLES = sorted((Path(__file__).parents[2] / "docs" / "examples").glob("*.json"))

N8N: dict[str, Any] = {
    "name": "Notify",
    "nodes": [
        {"name": "Hook", "type": "n8n-nodes-base.webhook", "parameters": {"path": "in"}},
        {
            "name": "Post",
            "type": "n8n-nodes-base.httpRequest",
            "parameters": {"url": "https://api.stripe.com/v1/charges", "method": "POST"},
        },
    ],
    "connections": {"Hook": {"main": [[{"node": "Post", "type": "main", "index": 0}]]}},
}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.name)
def test_each_example_gives_a_readable_page(file: Path) -> None:
    done = runbooks("preview", file)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("# Runbook: ")
    assert "## " in done.stdout


def test_there_are_examples_of_both_dialects() -> None:
    documents = [json.loads(file.read_text()) for file in EXAMPLES]
    assert {"connections" in document for document in documents} == {True, False}


def test_json_names_the_file_as_given_and_its_integrations(tmp_path: Path) -> None:
    file = tmp_path / "notify.json"
    file.write_text(json.dumps(N8N))
    done = runbooks("preview", file, "--format", "json")
    (preview,) = json.loads(done.stdout)
    assert preview["file"] == str(file)
    assert preview["workflow"]["name"] == "Notify"
    (integration,) = preview["integrations"]
    assert integration == {
        "node_key": "Post",
        "node_type": "n8n-nodes-base.httpRequest",
        "service": "Stripe API",
        "kind": "payments",
        "operation": "POST /v1/charges",
        "host": "api.stripe.com",
    }
    assert preview["runbook"]["title"] == "Runbook: Notify"


def test_a_file_that_cannot_be_read_is_reported_and_the_others_still_come(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(N8N))
    bad.write_text("{not json")
    done = runbooks("preview", bad, tmp_path / "missing.json", good, "--format", "json")
    assert done.returncode == 1
    assert [preview["file"] for preview in json.loads(done.stdout)] == [str(good)]
    assert len(done.stderr.splitlines()) == 2
    assert "bad.json" in done.stderr
    assert "missing.json" in done.stderr


def test_standard_input_may_hold_a_list(tmp_path: Path) -> None:
    done = runbooks("preview", "-", "--format", "json", stdin=json.dumps([N8N, {**N8N, "name": "Second"}]))
    assert [preview["workflow"]["name"] for preview in json.loads(done.stdout)] == ["Notify", "Second"]


def test_out_writes_a_file_a_workflow_and_overwrites_none_of_the_same_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    files = [tmp_path / "flow.json", tmp_path / "a" / "flow.json"]
    for file in files:
        file.write_text(json.dumps(N8N))
    out = tmp_path / "out" / "deep"
    assert runbooks("preview", *files, "--out", out).returncode == 0
    assert sorted(path.name for path in out.iterdir()) == ["flow-2.md", "flow.md"]


def test_no_file_is_bad_usage_in_one_line() -> None:
    done = runbooks("preview")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_a_folder_stands_for_the_exports_in_it_and_below(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for file in (tmp_path / "b.json", tmp_path / "deep" / "a.json"):
        file.write_text(json.dumps(N8N))
    (tmp_path / "readme.md").write_text("no workflow")
    done = runbooks("preview", tmp_path, "--format", "json")
    assert done.returncode == 0
    assert [preview["file"] for preview in json.loads(done.stdout)] == [
        str(tmp_path / "b.json"),
        str(tmp_path / "deep" / "a.json"),
    ]


def test_a_bad_entry_of_a_list_costs_only_itself(tmp_path: Path) -> None:
    file = tmp_path / "list.json"
    file.write_text(json.dumps([N8N, 7, {**N8N, "name": "Third"}]))
    done = runbooks("preview", file, "--format", "json")
    assert done.returncode == 1
    assert [preview["workflow"]["name"] for preview in json.loads(done.stdout)] == ["Notify", "Third"]
    assert "list.json: entry 2: " in done.stderr


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_exports_may_come_in_any_unicode_encoding(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "export.json"
    file.write_bytes(json.dumps({**N8N, "name": "Grüße"}, ensure_ascii=False).encode(encoding))
    (preview,) = json.loads(runbooks("preview", file, "--format", "json").stdout)
    assert preview["workflow"]["name"] == "Grüße"


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"[" * 100_000, b"5", b'{"nodes": {}}', b"\x00" * 64])
def test_a_file_that_is_no_workflow_is_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    done = runbooks("preview", file, "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout) == []
    assert len(done.stderr.splitlines()) == 1
    assert "odd.json: " in done.stderr


def test_a_preview_claims_nothing_about_a_history_that_it_cannot_know(tmp_path: Path) -> None:
    file = tmp_path / "notify.json"
    file.write_text(json.dumps(N8N))
    page = runbooks("preview", file).stdout
    assert "Its history is not known here" in page
    assert "Written from an exported file alone" in page
    assert "recorded call" not in page
    assert "Owner required" not in page
