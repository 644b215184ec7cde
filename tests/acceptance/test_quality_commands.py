"""`runbooks evaluate runbooks` and `runbooks lint` as a user types them."""

import json
from pathlib import Path

import pytest

from tests.support import llm_server as models
from tests.support.commands import runbooks
from tests.support.llm_server import LLMServer

EXAMPLES = "docs/examples"


def test_the_catalogue_is_evaluated_without_any_unsupported_claim() -> None:
    done = runbooks("evaluate", "runbooks", "--writer", "catalogue", "--json", EXAMPLES)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["workflows"] == len(result["cases"]) == 3
    assert result["unsupported_claims"] == 0
    assert result["averages"]["completeness"] == 1.0


def test_a_model_is_evaluated_with_what_was_rejected_and_what_it_cost(
    llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_LLM_PRICE_INPUT", "1")
    monkeypatch.setenv("RUNBOOKS_LLM_PRICE_OUTPUT", "4")
    llm_server.enqueue(models.garbage)
    result = json.loads(runbooks("evaluate", "runbooks", "--json", EXAMPLES).stdout)
    assert result["writer"] == "test-model"
    assert result["scenarios_by_llm"] > 0
    assert result["cost_usd"] > 0
    assert result["rejected"]
    assert result["unsupported_claims"] == 0
    assert "on_topic" not in result["failed_checks"]


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_an_evaluation_without_a_case_fails(tmp_path: Path, name: str) -> None:
    done = runbooks("evaluate", "runbooks", "--writer", "catalogue", tmp_path / name)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "nothing to evaluate" in done.stderr


def test_a_bad_runbook_is_linted_in_every_format(tmp_path: Path) -> None:
    page = tmp_path / "bad.md"
    page.write_text("# Queue\n\n- Check the logs.\n- Delete the table of orders.\n")
    done = runbooks("lint", page)
    assert done.returncode == 1
    assert f"{page}:3: error:" in done.stdout
    (checked,) = json.loads(runbooks("lint", "--format", "json", page).stdout)
    assert not checked["checks"]["empty-advice"]
    assert 0 < checked["score"] < 1
    sarif = json.loads(runbooks("lint", "--format", "sarif", page).stdout)
    assert sarif["version"] == "2.1.0"
    results = sarif["runs"][0]["results"]
    assert {"empty-advice", "unguarded-danger"} <= {one["ruleId"] for one in results}
    rules = {rule["id"] for rule in sarif["runs"][0]["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in results} <= rules


def test_our_own_runbooks_have_no_errors(tmp_path: Path) -> None:
    assert runbooks("preview", "--writer", "catalogue", "--out", tmp_path, EXAMPLES).returncode == 0
    done = runbooks("lint", tmp_path)
    assert done.returncode == 0, done.stdout


def test_linting_nothing_is_told(tmp_path: Path) -> None:
    done = runbooks("lint", tmp_path)
    assert done.returncode == 2
    assert "nothing was checked" in done.stderr
