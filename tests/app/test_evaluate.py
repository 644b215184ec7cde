"""`runbooks evaluate extraction`."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.evaluate import run_evaluate_extraction
from runbooks.errors import SettingsError

WORKFLOW: dict[str, Any] = {
    "name": "w",
    "nodes": [
        {"name": "Hook", "type": "n8n-nodes-base.webhook", "parameters": {}},
        {"name": "Call", "type": "n8n-nodes-base.httpRequest", "parameters": {"url": "https://api.stripe.com/v1/x"}},
        {"name": "Shape", "type": "n8n-nodes-base.set", "parameters": {}},
    ],
    "connections": {},
}


def written(folder: Path, nodes: list[dict[str, Any]], **rest: Any) -> tuple[Path, str]:
    (folder / "w.json").write_text(json.dumps(WORKFLOW))
    truth = folder / "truth.jsonl"
    truth.write_text(json.dumps({"file": "w.json", "nodes": nodes, **rest}) + "\n\n")
    return truth, str(folder / "w.json")


def test_figures_and_misses_are_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    truth, file = written(
        tmp_path,
        [
            {"node_key": "Call", "external": True, "service": "Stripe", "host": "api.stripe.com"},
            {"node_key": "Hook", "external": True},
            {"node_key": "Shape", "external": False, "type": "ignored"},
        ],
    )
    assert run_evaluate_extraction(truth, [file]) == 0
    printed = capsys.readouterr().out
    assert "recall      50.0%  (1 of 2 external nodes found)" in printed
    assert "precision  100.0%" in printed
    assert "host       100.0%  (1 of 1)" in printed
    assert "service    100.0%  (1 of 1)" in printed
    assert "missed: w.json, node 'Hook' (n8n-nodes-base.webhook)" in printed.replace(str(tmp_path) + "/", "")


def test_a_file_that_cannot_be_read_is_reported_and_the_rest_counts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, file = written(tmp_path, [{"node_key": "Call", "external": True}])
    with truth.open("a") as lines:
        lines.write(json.dumps({"file": "broken.json", "nodes": []}) + "\n")
    (tmp_path / "broken.json").write_text("{")
    assert run_evaluate_extraction(truth, [file, str(tmp_path / "broken.json")]) == 1
    captured = capsys.readouterr()
    assert "broken.json: no readable JSON" in captured.err
    assert "recall     100.0%" in captured.out


def test_without_a_judged_file_there_is_nothing_to_score(tmp_path: Path) -> None:
    truth, _ = written(tmp_path, [])
    with pytest.raises(SettingsError, match="none of the 1 files is both readable and judged"):
        run_evaluate_extraction(truth, [str(tmp_path / "other.json")])


@pytest.mark.parametrize("line", ["{", "[]", '{"file": "w.json"}', '{"file": "w.json", "nodes": [{"external": true}]}'])
def test_a_broken_line_of_the_truth_is_named(tmp_path: Path, line: str) -> None:
    truth, file = written(tmp_path, [])
    truth.write_text("\n" + line)
    with pytest.raises(SettingsError, match="line 2 is not of the form"):
        run_evaluate_extraction(truth, [file])


def test_a_missing_truth_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"truth\.jsonl: No such file or directory; --truth wants JSON lines"):
        run_evaluate_extraction(tmp_path / "truth.jsonl", ["w.json"])
