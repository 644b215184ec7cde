from typing import Any

import pytest

from runbooks.core.catalogue import Catalogue
from runbooks.core.catalogue_check import check_catalogue, conditions_of, consistent_conditions
from runbooks.core.catalogue_source import CatalogueFile
from runbooks.core.conditions import INTEGRATION_CONDITIONS, integration_conditions, is_private, parse_when
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integration import IntegrationKind
from runbooks.core.scenario import FileRejected
from runbooks.core.selection import choose
from runbooks.core.templates import compile_template
from runbooks.core.workflow import Dialect
from tests.support.runbook_facts import make_integration

REQUIRED = ("timeout", "auth_failed", "rate_limited", "invalid_request")


def scenario(failure_class: str, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "class": failure_class,
        "title": f"It fails with {failure_class}",
        "severity": "medium",
        "prior": 10,
        "symptoms": [f"Error text contains {failure_class} at node {{node}}"],
        "diagnosis": ["Read the error at node {node}. If it names a limit, wait; else go on."],
        "remediation": [{"text": "Raise the limit of node {node} a little.", "undo": "lower it again."}],
        "verification": ["On the Executions page, {next_runs} complete."],
        "prevention": ["Watch the limit of {service} with an alert."],
        "handover": "the error text",
    }
    return {**given, **changes}


def catalogue(**files: dict[str, Any]) -> Catalogue:
    """A small catalogue: every kind takes over http_api, unless a file says otherwise."""
    base: dict[str, dict[str, Any]] = {
        kind.value: {"kind": kind.value, "extends": "http_api"} for kind in IntegrationKind
    }
    base["http_api"] = {
        "kind": "http_api",
        "standard": list(REQUIRED),
        "scenarios": [scenario(failure_class) for failure_class in REQUIRED],
    }
    base["trigger"] = {
        "trigger": True,
        "standard": list(REQUIRED),
        "scenarios": [scenario(failure_class, title="Trigger") for failure_class in REQUIRED],
    }
    base["workflow"] = {"workflow": True, "standard": ["unknown"], "scenarios": [workflow_scenario()]}
    merged = {**base, **files}
    return Catalogue({name: CatalogueFile.model_validate(file) for name, file in merged.items()}, "v1")


def workflow_scenario(**changes: Any) -> dict[str, Any]:
    return scenario("unknown", prior=0, prevention=["Tell the owner of {workflow} what it was."], **changes)


def titles(found: Catalogue, service: str, kind: IntegrationKind) -> dict[str, str]:
    return {one.id: one.title for one in found.knowledge(service, kind).scenarios}


def test_a_services_text_lies_over_its_kinds_and_that_over_what_it_extends() -> None:
    found = catalogue(
        payments={
            "kind": "payments",
            "extends": "http_api",
            "priors": {"rate_limited": 3},
            "scenarios": [{"class": "timeout", "title": "Payment hangs"}],
        },
        stripe={
            "services": ["stripe"],
            "kind": "payments",
            "docs": "https://docs.example.com/errors",
            "scenarios": [{"class": "auth_failed", "title": "Key refused", "prior": 99}],
        },
    )
    assert titles(found, "stripe", IntegrationKind.PAYMENTS) == {
        "payments.timeout": "Payment hangs",
        "stripe.auth_failed": "Key refused",
        "http_api.rate_limited": "It fails with rate_limited",
        "http_api.invalid_request": "It fails with invalid_request",
    }
    by_id = {one.id: one for one in found.knowledge("stripe", IntegrationKind.PAYMENTS).scenarios}
    assert by_id["stripe.auth_failed"].prior == 99
    assert by_id["stripe.auth_failed"].own
    assert by_id["stripe.auth_failed"].docs == "https://docs.example.com/errors"
    assert by_id["http_api.rate_limited"].prior == 3
    assert not by_id["http_api.rate_limited"].own
    assert by_id["stripe.auth_failed"].symptoms == by_id["stripe.auth_failed"].symptoms[:1]


def test_look_ups_are_resolved_once() -> None:
    found = catalogue()
    assert found.knowledge("a", IntegrationKind.CRM) is found.knowledge("b", IntegrationKind.CRM)


def test_a_member_of_a_family_gets_the_familys_text() -> None:
    found = catalogue(
        google={"services": ["google"], "scenarios": [{"class": "auth_failed", "title": "Google says no"}]},
        mail={"services": ["mail"], "kind": "email", "scenarios": [{"class": "auth_failed", "title": "Mail says no"}]},
    )
    assert "google.auth_failed" in titles(found, "google_forms", IntegrationKind.MARKETING)
    assert "mail.auth_failed" not in titles(found, "mail_list", IntegrationKind.MARKETING)


def test_a_service_may_lie_over_another_kind_than_its_own() -> None:
    sql = {"kind": "database", "scenarios": [scenario(name, title="SQL") for name in REQUIRED]}
    web = {"services": ["web_db"], "kind": "database", "extends": "http_api", "scenarios": []}
    found = catalogue(database=sql, web=web)
    assert set(titles(found, "other_db", IntegrationKind.DATABASE).values()) == {"SQL"}
    assert "SQL" not in titles(found, "web_db", IntegrationKind.DATABASE).values()


def test_a_trigger_has_texts_of_its_own_beside_what_its_service_says_of_access() -> None:
    own = [
        scenario("tls", prior=1),
        scenario("permission_denied"),
        scenario("conflict", when="inbound"),
        scenario("timeout", title="Call"),
    ]
    found = catalogue(
        chat={"services": ["chat"], "kind": "messaging", "scenarios": own},
        feed={"kind": "feed", "extends": "http_api", "reads": True},
    )
    knowledge = found.trigger_knowledge("chat", IntegrationKind.MESSAGING)
    always = {one.scenario.id for one in choose(knowledge, {"inbound"}, frozenset())}
    assert always == {*(f"trigger.{name}" for name in REQUIRED), "chat.permission_denied", "chat.conflict"}
    seen = choose(knowledge, {"inbound"}, frozenset({FailureClass.TLS}))
    assert "chat.tls" in {one.scenario.id for one in seen}
    feed = found.trigger_knowledge("", IntegrationKind.FEED)
    assert feed is found.knowledge("", IntegrationKind.FEED)


@pytest.mark.parametrize(
    ("name", "file", "reason"),
    [
        ("crm", {"kind": "crm", "scenarios": [scenario("timeout", when="sunny")]}, "'sunny' is no condition"),
        ("crm", {"kind": "crm", "scenarios": [scenario("timeout", handover="{nobody}")]}, "{nobody} is no placeholder"),
        ("crm", {"kind": "crm", "scenarios": [scenario("timeout", symptoms=["a { b"])]}, "braces do not pair"),
        ("crm", {"kind": "crm", "scenarios": [scenario("timeout"), scenario("timeout")]}, "stands twice"),
        ("crm", {"kind": "crm", "terms": {"colour": "red"}}, "'colour' is no term"),
        ("crm", {"kind": "crm", "extends": "payments"}, "extends a kind itself"),
        ("crm", {"kind": "crm", "extends": "http_api", "priors": {"tls": 3}}, "no scenario 'tls'"),
        ("crm", {"kind": "crm", "scenarios": [{"class": "timeout", "title": "Bare"}]}, "has no severity, prior"),
        ("more", {"kind": "crm"}, "has a file already"),
        ("workflow", {"workflow": True, "scenarios": [workflow_scenario(title="At {node}")]}, "no placeholder"),
        ("workflow", {"workflow": True, "scenarios": [workflow_scenario(handover="{service}")]}, "no placeholder"),
        (
            "crm",
            {"kind": "crm", "scenarios": [scenario("timeout", diagnosis=[{"text": "Look at it.", "undo": "no."}])]},
            "only a step of the remediation",
        ),
    ],
)
def test_a_bad_file_is_rejected_with_the_reason(name: str, file: dict[str, Any], reason: str) -> None:
    with pytest.raises(FileRejected) as caught:
        catalogue(**{name: file}).check_complete()
    assert reason in caught.value.reason


def test_the_check_finds_what_is_wrong_and_what_is_thin() -> None:
    bad = [
        scenario("timeout", remediation=[{"text": "Raise the limit a little more.", "when": "read"}]),
        scenario("auth_failed", diagnosis=["Check the logs of the service."]),
        scenario("rate_limited", when="write", verification=["All good now."]),
        scenario("invalid_request"),
    ]
    found = catalogue(
        http_api={"kind": "http_api", "standard": list(REQUIRED), "scenarios": bad, "terms": {"limits": "its limits"}},
        shop={"services": ["shop"], "kind": "commerce"},
    )
    findings = [(one.wrong, f"{one.scenario_id}: {one.text}") for one in check_catalogue(found)]
    wrong = " | ".join(text for is_wrong, text in findings if is_wrong)
    thin = " | ".join(text for is_wrong, text in findings if not is_wrong)
    assert "http_api.timeout: remediation is empty when write" in wrong
    assert "does not say how to undo it" in wrong
    assert "http_api.auth_failed: diagnosis does not branch" in wrong
    assert "says nothing definite" in wrong
    assert "no scenario for rate_limited when" in wrong
    assert "fewer than 5 words" in thin
    assert "http_api: the term limits is in no sentence" in thin
    assert "shop: no rate limit scenario of its own" in thin


def test_a_sound_catalogue_has_nothing_wrong() -> None:
    assert [one for one in check_catalogue(catalogue()) if one.wrong] == []


def test_only_conditions_that_can_occur_together_are_looked_at() -> None:
    sets = list(consistent_conditions(["credential", "inline_secret", "auth", "read", "write"]))
    assert frozenset({"auth", "credential", "read"}) in sets
    assert not any({"credential", "inline_secret"} <= one for one in sets)
    assert not any({"read", "write"} <= one or not {"read", "write"} & one for one in sets)
    assert not any("credential" in one and "auth" not in one for one in sets)


def test_opposites_are_looked_at_together() -> None:
    found = catalogue(
        http_api={
            "kind": "http_api",
            "standard": list(REQUIRED),
            "scenarios": [scenario(name, when="not read") for name in REQUIRED],
        }
    )
    (first, *_) = found.knowledge("", IntegrationKind.HTTP_API).scenarios
    assert conditions_of(first) == ["read", "write"]


def test_conditions_of_an_integration_are_known_ones() -> None:
    found = integration_conditions(make_integration(), Dialect.N8N)
    assert found <= INTEGRATION_CONDITIONS
    assert {"n8n", "write", "auth", "credential", "http_host", "public_host", "timeout_known", "outbound"} <= found


def test_a_call_of_unknown_effect_counts_as_one_that_writes() -> None:
    found = integration_conditions(make_integration(access="unknown"), Dialect.LINKFLOW)
    assert "write" in found
    assert "read" not in found


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("10.0.0.5", True),
        ("192.168.1.9", True),
        ("localhost", True),
        ("billing", True),
        ("db.prod.internal", True),
        ("api.stripe.com", False),
        ("8.8.8.8", False),
        ("", False),
    ],
)
def test_private_hosts_are_told_from_public_ones(host: str, private: bool) -> None:
    assert is_private(host) is private


@pytest.mark.parametrize("words", [["read", "not read"], ["read", "not  read"]])
def test_a_condition_that_can_never_hold_is_refused(words: list[str]) -> None:
    with pytest.raises(ValueError, match="never be true and false"):
        parse_when(words, INTEGRATION_CONDITIONS)


def test_a_template_fills_gaps_once_and_keeps_doubled_braces() -> None:
    template = compile_template("{node} shows 100% of {{json}}", frozenset({"node"}))
    assert template.fill({"node": "the {node} %(node)s"}) == "The {node} %(node)s shows 100% of {json}"


@pytest.mark.parametrize("text", ["{node!r}", "{node:>9}", "{0}", "{}", "{node.key}", "{node[0]}", "a } b"])
def test_a_template_takes_nothing_but_plain_gaps(text: str) -> None:
    with pytest.raises(ValueError, match=r"no placeholder|do not pair"):
        compile_template(text, frozenset({"node"}))


def test_every_failure_class_has_a_text_for_an_http_call() -> None:
    from runbooks.adapters.catalogue_files import load_catalogue

    classes = {one.failure_class for one in load_catalogue().knowledge("", IntegrationKind.HTTP_API).scenarios}
    assert classes == set(FailureClass) - {FailureClass.UNKNOWN}


def test_nothing_in_the_real_catalogue_is_wrong() -> None:
    from runbooks.adapters.catalogue_files import load_catalogue

    assert [f"{one.scenario_id}: {one.text}" for one in check_catalogue(load_catalogue()) if one.wrong] == []
