"""Finished runbooks, ready to be stored, for tests that do not care how they were written."""

from typing import Any

from runbooks.core.batch import Generated
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.runbook import FailureScenario, Provenance, Runbook, RunbookSection

REQUIRED = (
    FailureClass.TIMEOUT, FailureClass.AUTH_FAILED, FailureClass.RATE_LIMITED, FailureClass.INVALID_REQUEST,
)  # fmt: skip


def make_scenario(failure_class: FailureClass, **changes: Any) -> FailureScenario:
    given: dict[str, Any] = {
        "scenario": f"It fails with {failure_class.value}",
        "symptoms": ("The node is red.",),
        "diagnosis": ("Open the node's last run.",),
        "remediation": ("Run it again.",),
        "severity": Severity.MEDIUM,
        "failure_class": failure_class,
        "scenario_id": f"http_api.{failure_class.value}",
    }
    return FailureScenario(**{**given, **changes})


def make_section(node_key: str = "http_stripe", *classes: FailureClass, **changes: Any) -> RunbookSection:
    scenarios = tuple(make_scenario(one) for one in classes or REQUIRED)
    return RunbookSection(
        **{"integration": "Stripe API", "node_key": node_key, "failure_scenarios": scenarios, **changes}
    )


def make_runbook(*sections: RunbookSection, **changes: Any) -> Runbook:
    given: dict[str, Any] = {
        "title": "Runbook: Order Processing Pipeline",
        "summary": "What can fail, and what to do.",
        "sections": sections or (make_section(),),
        "escalation_matrix": {"low": "owner", "medium": "admins", "high": "on-call", "critical": "on-call"},
        "general": (make_scenario(FailureClass.UNKNOWN),),
        "severity": Severity.HIGH,
        "provenance": Provenance(fingerprint="f1", definition_hash="d1", catalogue_version="c1"),
    }
    return Runbook(**{**given, **changes})


def make_generated(workflow_id: str, workspace_id: str, runbook: Runbook | None = None, **changes: Any) -> Generated:
    written = runbook or make_runbook()
    given: dict[str, Any] = {
        "source_digest": "s1",
        "history_signature": "",
        "writer_signature": "catalogue:c1",
        "integrations": len(written.sections),
    }
    return Generated(workflow_id=workflow_id, workspace_id=workspace_id, runbook=written, **{**given, **changes})
