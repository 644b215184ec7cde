"""`runbooks match` and `runbooks evaluate errors`, on files."""

import json
from pathlib import Path

import pytest

from app.evaluate_errors import run_evaluate_errors
from app.match import run_match
from runbooks.errors import RunbooksError, SettingsError

EXPORT = {
    "name": "Alerts",
    "nodes": [
        {"name": "Start", "type": "n8n-nodes-base.scheduleTrigger", "parameters": {}},
        {"name": "Tell", "type": "n8n-nodes-base.slack", "parameters": {"operation": "post", "channel": "#alerts"}},
    ],
    "connections": {"Start": {"main": [[{"node": "Tell", "type": "main", "index": 0}]]}},
}


@pytest.fixture
def export(tmp_path: Path) -> Path:
    file = tmp_path / "alerts.json"
    file.write_text(json.dumps(EXPORT))
    return file


def test_an_error_of_a_node_leads_to_its_scenario(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_match(None, file=export, node="Tell", message="Slack error: not_in_channel", as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["failure_class"] == "permission_denied"
    assert answer["matches"][0]["failure_class"] == "permission_denied"
    assert "not_in_channel" in answer["matches"][0]["seen"]
    assert answer["matches"][0]["diagnosis"]


def test_an_unclear_error_lists_what_may_be_without_claiming_it(
    export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_match(None, file=export, node="Tell", message="Something went wrong") == 0
    shown = capsys.readouterr().out
    assert "unknown (rule no-rule)" in shown
    assert "Mend:" not in shown


def test_a_node_that_is_not_there_is_answered_with_those_that_are(export: Path) -> None:
    with pytest.raises(SettingsError, match=r"'Shout'.*'Tell'"):
        run_match(None, file=export, node="Shout", message="x")


def test_a_file_that_holds_no_workflow_is_named(tmp_path: Path) -> None:
    file = tmp_path / "empty.json"
    file.write_text("[]")
    with pytest.raises(RunbooksError, match=r"empty\.json"):
        run_match(None, file=file, node="Tell", message="x")


def test_a_bad_line_is_reported_with_its_number_and_the_rest_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "errors.jsonl"
    file.write_text(
        '{"category": "timeout", "status_code": 504}\n'
        "no json\n"
        '{"category": "slow", "message": "x"}\n'
        '{"message": "x"}\n'
        '{"category": "network", "status_code": 429}\n'
    )
    assert run_evaluate_errors(file) == 1
    out, err = capsys.readouterr()
    assert "2 errors, 50.0% right" in out
    assert "line 5: network was called rate_limited" in out
    assert all(f"errors.jsonl:{number}: " in err for number in (2, 3, 4))


def test_a_file_without_cases_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "errors.jsonl"
    file.write_text("\n\n")
    with pytest.raises(SettingsError, match="no case"):
        run_evaluate_errors(file)
