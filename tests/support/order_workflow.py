"""One workflow by hand, with its runbook from a small catalogue, and a good model's answer about it."""

from typing import Any

from runbooks.core.answer import ScenarioAnswer
from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import Authentication, Integration, IntegrationKind
from runbooks.core.runbook import FailureScenario, Runbook, RunbookSection
from runbooks.core.workflow import Edge, Node, Workflow

STRIPE, SLACK = "http_stripe", "tell_sales"
AUTH, TIMEOUT = "stripe.auth_failed", "http_api.timeout"


def make_workflow(**changes: Any) -> Workflow:
    given: dict[str, Any] = {
        "id": "w1",
        "workspace_id": "ws1",
        "name": "Order Processing Pipeline",
        "description": "Takes an order, charges the card and tells the sales team.",
        "trigger_type": "webhook",
        "nodes": (
            Node(key="hook", type="trigger_webhook", label="New order", config={"path": "orders"}),
            Node(
                key=STRIPE,
                type="action_http_request",
                label="Charge card",
                config={
                    "url": "https://api.stripe.com/v1/charges",
                    "method": "POST",
                    "body": "amount={{ trigger.body.total }}",
                },
            ),
            Node(key=SLACK, type="action_slack_message", label="Tell sales", config={"channel": "#sales"}),
        ),
        "edges": (Edge(source="hook", target=STRIPE), Edge(source=STRIPE, target=SLACK)),
    }
    return Workflow(**{**given, **changes})


def make_integration(**changes: Any) -> Integration:
    given: dict[str, Any] = {
        "node_key": STRIPE,
        "node_label": "Charge card",
        "node_type": "action_http_request",
        "service": "Stripe API",
        "service_id": "stripe",
        "kind": IntegrationKind.PAYMENTS,
        "operation": "POST /v1/charges",
        "access": "write",
        "method": "POST",
        "host": "api.stripe.com",
        "authentication": Authentication.API_KEY,
        "credential": "Stripe live",
        "timeout_s": 30,
        "upstream": ("hook",),
        "downstream": (SLACK,),
    }
    return Integration(**{**given, **changes})


SLACK_INTEGRATION = make_integration(
    node_key=SLACK,
    node_label="Tell sales",
    node_type="action_slack_message",
    service="Slack",
    service_id="slack",
    kind=IntegrationKind.MESSAGING,
    operation="message.post",
    host="slack.com",
    credential=None,
)


def make_facts(**changes: Any) -> Facts:
    given: dict[str, Any] = {
        "workflow": make_workflow(),
        "integrations": (make_integration(), SLACK_INTEGRATION),
        "definition_hash": "d" * 64,
    }
    return Facts(**{**given, **changes})


def make_scenario(scenario_id: str = AUTH, **changes: Any) -> FailureScenario:
    given: dict[str, Any] = {
        "scenario": "Authentication failure (401)",
        "symptoms": (
            'Error text contains 401, "Invalid API Key provided" or api_key_expired',
            "Every call since one moment fails, not only some",
        ),
        "diagnosis": (
            'On the Executions page open the failed execution and read the error body at node "Charge card". '
            '"Expired API Key" means that the key was rotated.',
            'Open credential "Stripe live" on the Credentials page. If it was edited at the time of the first failure, '
            "that is the cause; else the key was rolled in Stripe.",
        ),
        "remediation": (
            "Create a new API key in the Stripe Dashboard and leave the old one in place. Undo: delete the new one.",
            'Enter it in credential "Stripe live" on the Credentials page and save. Undo: enter the old value again.',
        ),
        "severity": Severity.HIGH,
        "failure_class": FailureClass.AUTH_FAILED,
        "scenario_id": scenario_id,
        "verification": ('The next three executions show node "Charge card" completed.',),
        "evidence": ("12 failures of this kind in 400 calls (3.0%) in the last 30 days.",),
        "escalation": "If not fixed in 30 min: Page on-call engineer. Hand over: the exact error body.",
    }
    return FailureScenario(**{**given, **changes})


TIMEOUT_SCENARIO = make_scenario(
    TIMEOUT,
    scenario="No answer in time",
    failure_class=FailureClass.TIMEOUT,
    symptoms=("Error text contains context deadline exceeded, or status 504",),
    diagnosis=(
        'Read the duration of node "Charge card" on the Executions page. If it ended at its own time limit of 30 s, '
        "Stripe API was slow; else use the scenario for an unreachable service.",
    ),
    remediation=('Raise the timeout of node "Charge card" above 30 s. Undo: set it back to 30 s.',),
    evidence=(),
)


def make_section(**changes: Any) -> RunbookSection:
    given: dict[str, Any] = {
        "integration": "Stripe API",
        "node_key": STRIPE,
        "node_label": "Charge card",
        "node_type": "action_http_request",
        "kind": "payments",
        "operation": "POST /v1/charges",
        "host": "api.stripe.com",
        "credential": "Stripe live",
        "severity": Severity.HIGH,
        "history": ("400 calls in the last 30 days, 12 failed (3.0%).",),
        "impact": 'The execution ends as failed at node "Charge card"; "Tell sales" does not run.',
        "rerun": "After a timeout look first whether the call took effect, else there may be a second charge.",
        "failure_scenarios": (make_scenario(), TIMEOUT_SCENARIO),
    }
    return RunbookSection(**{**given, **changes})


SLACK_SECTION = make_section(
    integration="Slack",
    node_key=SLACK,
    node_label="Tell sales",
    node_type="action_slack_message",
    kind="messaging",
    operation="message.post",
    host="slack.com",
    credential=None,
    failure_scenarios=(make_scenario("slack.auth_failed", symptoms=('Error text contains "invalid_auth"',)),),
)


def make_runbook(**changes: Any) -> Runbook:
    given: dict[str, Any] = {
        "title": "Runbook: Order Processing Pipeline",
        "summary": "Starts on a webhook call.",
        "sections": (make_section(), SLACK_SECTION),
        "escalation_matrix": {"high": "Page on-call engineer"},
        "general": (make_scenario("workflow.unknown", scenario="A failure that nobody foresaw", evidence=()),),
        "workflow_id": "w1",
        "severity": Severity.HIGH,
    }
    return Runbook(**{**given, **changes})


def make_answer(**changes: Any) -> ScenarioAnswer:
    """In a model's own words: specific, and nothing in it that the data does not have."""
    given: dict[str, Any] = {
        "node_key": STRIPE,
        "scenario_id": AUTH,
        "symptoms": [
            'Orders stop at node "Charge card" with 401 and "Invalid API Key provided" in the error text',
            'Every order since one moment fails, and nobody is told, because "Tell sales" does not run',
        ],
        "diagnosis": [
            'Open the newest failed execution of "Order Processing Pipeline" on the Executions page and read the error '
            'body of POST /v1/charges at node "Charge card"; if it says "Expired API Key", the key was rotated.',
            'Open credential "Stripe live" on the Credentials page: if it was edited when the failures began, that '
            "edit is the cause; else the key was rolled in Stripe.",
        ],
        "remediation": [
            "Make a new API key in the Stripe Dashboard and leave the old one in place. Undo: delete the new one.",
            'Enter the new key in credential "Stripe live" and save. Undo: enter the old value again.',
        ],
    }
    return ScenarioAnswer.model_validate({**given, **changes})
