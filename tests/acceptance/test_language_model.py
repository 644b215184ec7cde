"""What somebody sees who points the tool at a language model of their own."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support import llm_server as models
from tests.support.commands import runbooks
from tests.support.llm_server import LLMServer

ORDER = {
    "name": "Order Processing Pipeline",
    "nodes": [
        {"id": "in", "type": "trigger_webhook"},
        {
            "id": "http_stripe",
            "type": "action_http_request",
            "label": "Charge card",
            "data": {
                "config": {
                    "url": "https://api.stripe.com/v1/charges",
                    "method": "POST",
                    "headers": {"Authorization": "Bearer sk_live_51PLANTEDfake0PLANTEDfake1"},  # notsecret
                }
            },
        },
    ],
    "edges": [{"source": "in", "target": "http_stripe"}],
}


@pytest.fixture
def order(tmp_path: Path) -> Path:
    file = tmp_path / "order.json"
    file.write_text(json.dumps(ORDER))
    return file


@pytest.fixture
def configured(llm_server: LLMServer, monkeypatch: pytest.MonkeyPatch) -> LLMServer:
    monkeypatch.setenv("RUNBOOKS_MODEL", "test-model")
    monkeypatch.setenv("OPENAI_BASE_URL", llm_server.base_url)
    monkeypatch.setenv("RUNBOOKS_LLM_ATTEMPTS", "1")
    return llm_server


def previewed(order: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    done = runbooks("preview", order, "--format", "json", *arguments)
    assert done.returncode == 0, done.stderr
    (preview,) = json.loads(done.stdout)
    return preview["runbook"], done.stderr


def test_a_preview_is_written_by_the_model_that_is_configured(configured: LLMServer, order: Path) -> None:
    runbook, complaints = previewed(order)
    assert runbook["ai_generated"]
    assert runbook["provenance"]["model"] == "test-model"
    assert complaints == ""
    assert "sk_live_51" not in json.dumps([request.body for request in configured.requests])
    assert "sk_live_51" not in json.dumps(runbook)


def test_the_catalogue_can_be_asked_for_all_the_same(configured: LLMServer, order: Path) -> None:
    runbook, _ = previewed(order, "--writer", "catalogue")
    assert not runbook["ai_generated"]
    assert configured.requests == []


def test_a_model_that_is_down_costs_no_runbook_and_is_told(configured: LLMServer, order: Path) -> None:
    configured.default = models.error(503, "down")
    runbook, complaints = previewed(order)
    assert runbook["sections"]
    assert not runbook["ai_generated"]
    assert "1 of 1 runbooks written by the catalogue alone: the server answers with HTTP 503" in complaints


def test_the_doctor_says_how_the_model_takes_structured_output(
    configured: LLMServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RUNBOOKS_DATABASE_URL", "postgresql://127.0.0.1:9/none")
    configured.accepts = {"json_object", "text"}
    line = next(one for one in runbooks("doctor").stdout.splitlines() if one.startswith("llm"))
    assert line.endswith("test-model answers; structured output: json_object with a schema")
    configured.default = models.error(401, "no")
    line = next(one for one in runbooks("doctor").stdout.splitlines() if one.startswith("llm"))
    assert "bad" in line
    assert "check OPENAI_API_KEY" in line


def test_a_model_that_is_asked_for_but_not_configured_is_one_line(order: Path) -> None:
    done = runbooks("preview", order, "--writer", "llm")
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "RUNBOOKS_MODEL" in done.stderr
