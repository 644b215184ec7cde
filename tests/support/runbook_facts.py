"""Facts about made-up workflows, for tests of what is written about them."""

from datetime import UTC, datetime
from typing import Any

from runbooks.core.facts import Facts
from runbooks.core.failure_classes import FailureClass, Severity
from runbooks.core.integration import Authentication, Integration, IntegrationKind
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.workflow import Dialect, Node, Workflow


def make_workflow(**changes: Any) -> Workflow:
    """An order workflow of four nodes."""
    given: dict[str, Any] = {
        "id": "w-1",
        "workspace_id": "ws-1",
        "name": "Order Processing Pipeline",
        "trigger_type": "webhook",
        "owner": "Dana",
        "nodes": (
            Node(key="trigger_1", type="trigger_webhook", label="Order webhook"),
            Node(key="http_stripe", type="integration_stripe", label="Charge card"),
            Node(key="store", type="database_postgres", label="Store order"),
            Node(key="tell", type="action_slack", label="Tell sales"),
        ),
    }
    return Workflow(**{**given, **changes})


def make_integration(**changes: Any) -> Integration:
    """A charge at Stripe."""
    given: dict[str, Any] = {
        "node_key": "http_stripe",
        "node_label": "Charge card",
        "node_type": "integration_stripe",
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
        "upstream": ("trigger_1",),
        "downstream": ("store", "tell"),
        "criticality": Severity.MEDIUM,
    }
    return Integration(**{**given, **changes})


def make_facts(*integrations: Integration, **changes: Any) -> Facts:
    """Facts with the integrations given; a charge at Stripe when there is none."""
    given: dict[str, Any] = {"workflow": make_workflow(), "integrations": integrations or (make_integration(),)}
    return Facts(**{**given, **changes})


def make_group(failure_class: FailureClass, count: int, **changes: Any) -> FailureGroup:
    """Failures of one class among 200 calls."""
    given: dict[str, Any] = {
        "failure_class": failure_class,
        "count": count,
        "share": count / 200,
        "last_seen": datetime(2026, 3, 1, 14, 5, tzinfo=UTC),
    }
    return FailureGroup(**{**given, **changes})


def make_reliability(*groups: FailureGroup, **changes: Any) -> Reliability:
    """History of one node over 200 calls."""
    given: dict[str, Any] = {
        "scope": Scope.NODE,
        "source": "attempts",
        "calls": 200,
        "failures": sum(group.count for group in groups),
        "groups": groups,
    }
    return Reliability(**{**given, **changes})


def many_integrations() -> list[Integration]:
    """Every kind of service in several settings: dialects aside, what conditions look at."""
    found: list[Integration] = []
    for kind in IntegrationKind:
        for service_id in sorted({"", *_services_of(kind)}):
            base = {"kind": kind, "service_id": service_id or "somebody", "service": "Somebody"}
            found += [make_integration(**{**base, **setting}) for setting in SETTINGS]
    return found


def _services_of(kind: IntegrationKind) -> tuple[str, ...]:
    return {
        IntegrationKind.PAYMENTS: ("stripe",),
        IntegrationKind.MESSAGING: ("slack", "telegram", "twilio", "discord"),
        IntegrationKind.EMAIL: ("smtp", "imap", "gmail", "sendgrid", "microsoft_outlook", "aws_ses"),
        IntegrationKind.DATABASE: ("postgres", "mysql", "redis", "mongodb", "supabase"),
        IntegrationKind.AI_MODEL: ("openai", "anthropic"),
        IntegrationKind.SPREADSHEET: ("google_sheets", "airtable"),
        IntegrationKind.CRM: ("hubspot", "salesforce"),
        IntegrationKind.STORAGE: ("s3", "google_drive"),
        IntegrationKind.DEVELOPER: ("github",),
        IntegrationKind.COMMERCE: ("shopify",),
        IntegrationKind.PRODUCTIVITY: ("notion",),
    }.get(kind, ())


SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"access": "read", "method": "GET", "operation": "GET /things", "max_attempts": 3},
    {"access": "unknown", "method": None, "operation": "", "host": None, "timeout_s": None, "credential": None},
    {"authentication": Authentication.NONE, "credential": None, "access": "read", "host": "10.0.0.5"},
    {"authentication": Authentication.NONE, "credential": None, "host": "intranet", "downstream": (), "upstream": ()},
    {"authentication": Authentication.TOKEN, "credential": None, "inline_secret": True, "continue_on_error": True},
    {"authentication": Authentication.OAUTH2, "criticality": Severity.CRITICAL},
    {"authentication": Authentication.SIGNATURE, "criticality": Severity.LOW, "timeout_s": 0.5},
    {"direction": "inbound", "access": "read", "method": None, "upstream": (), "authentication": Authentication.OAUTH2},
    {"authentication": Authentication.UNKNOWN, "credential": None, "repeats": ("store",)},
)
DIALECTS = tuple(Dialect)
