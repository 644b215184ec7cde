"""Conditions that the catalogue's texts depend on: `when: [read, not retries_on]`."""

import ipaddress
import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from runbooks.core.integration import Authentication, Integration, IntegrationKind
from runbooks.core.node_roles import Role, WorkflowShape, short_type
from runbooks.core.services import words_of
from runbooks.core.workflow import Dialect, Workflow

INTEGRATION_CONDITIONS = frozenset(
    {
        "linkflow",
        "n8n",
        "read",
        "write",
        "auth",
        "credential",
        "inline_secret",
        "oauth2",
        "signature",
        "upstream",
        "downstream",
        "retries_on",
        "continue_on_error",
        "timeout_known",
        "inbound",
        "outbound",
        "host_known",
        "http_host",
        "url",
        "sends",
        "moves_money",
        "text_model",
        "public_host",
        "private_host",
    }
)
WORKFLOW_CONDITIONS = frozenset(
    {
        "linkflow",
        "n8n",
        "webhook_triggered",
        "form_triggered",
        "scheduled",
        "event_triggered",
        "has_steps",
        "has_approval",
        "has_wait",
        "has_loop",
        "has_code",
        "has_subworkflow",
        "has_condition",
    }
)

OWN_PROTOCOL = frozenset(
    {
        IntegrationKind.DATABASE,
        IntegrationKind.QUEUE,
        IntegrationKind.FILE_TRANSFER,
        IntegrationKind.REMOTE_SHELL,
        IntegrationKind.EMAIL,
    }
)
"""Kinds whose host does not answer HTTP, or not for sure."""

_NO_MONEY = frozenset(
    {"coupon", "customer", "contact", "product", "plan", "price", "promotion", "webhook", "file", "meter", "event"}
)
_MONEY = frozenset(
    {"charge", "payment", "refund", "payout", "transfer", "invoice", "order", "subscription", "checkout", "capture"}
)
_MESSAGES = frozenset({"message", "mail", "email", "sms", "chat", "reply", "notification", "template"})
_NO_SENDING = frozenset(
    {"add", "archive", "close", "create", "delete", "edit", "invite", "join", "kick", "leave", "mark", "move", "open"}
    | {"pin", "remove", "rename", "set", "star", "trash", "unarchive", "unpin", "unstar", "untrash", "update"}
)
_NO_TEXT = frozenset(
    {"embedding", "image", "audio", "speech", "video", "rerank", "reranker", "moderation", "ocr", "transcription"}
    | {"transcribe", "translation", "flux", "predict", "feature", "upscale", "voice"}
)
_FORMS = frozenset({"formtrigger", "chattrigger"})
# A host goes into commands that people paste into a shell, so nothing else than a host may pass for one.
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
_PRIVATE_ENDINGS = (".local", ".internal", ".lan", ".localhost", ".svc", ".intranet", ".corp", ".home.arpa")


@dataclass(frozen=True, slots=True)
class When:
    """All of `needs` and none of `forbids` must be true."""

    needs: frozenset[str] = frozenset()
    forbids: frozenset[str] = frozenset()

    def holds(self, true: Set[str]) -> bool:
        """Tell whether the true conditions satisfy it."""
        return self.needs <= true and self.forbids.isdisjoint(true)


ALWAYS = When()


def parse_when(words: Iterable[str], known: Set[str]) -> When:
    """Read `credential` and `not oauth2`; raise ValueError for a condition that is not known."""
    needs: set[str] = set()
    forbids: set[str] = set()
    for word in words:
        name = word.removeprefix("not ").strip()
        if name not in known:
            raise ValueError(f"{name!r} is no condition; known are {', '.join(sorted(known))}")
        (forbids if word.startswith("not ") else needs).add(name)
    if needs & forbids:
        raise ValueError(f"{', '.join(sorted(needs & forbids))} can never be true and false at once")
    return When(frozenset(needs), frozenset(forbids)) if needs or forbids else ALWAYS


def integration_conditions(integration: Integration, dialect: Dialect) -> frozenset[str]:
    """What is true of an integration."""
    host = shell_host(integration)
    inbound = integration.direction == "inbound"
    # A call of unknown effect is treated as one that changes something: the careful advice is right for both.
    read = integration.access == "read"
    private = is_private(host or integration.host or "")
    facts = {
        dialect.value: True,
        "read": read,
        "write": not read,
        "auth": authenticates(integration),
        "credential": bool(integration.credential),
        "inline_secret": integration.inline_secret and not integration.credential,
        "oauth2": integration.authentication is Authentication.OAUTH2,
        "signature": integration.authentication is Authentication.SIGNATURE,
        "upstream": bool(integration.upstream) and not inbound,
        "downstream": bool(integration.downstream),
        "retries_on": integration.max_attempts > 1,
        "continue_on_error": integration.continue_on_error,
        "timeout_known": integration.timeout_s is not None,
        "inbound": inbound,
        "outbound": not inbound,
        "host_known": host is not None,
        "http_host": host is not None and integration.kind not in OWN_PROTOCOL,
        "url": integration.method is not None,
        "sends": sends(integration),
        "moves_money": moves_money(integration),
        "text_model": _is_text_model(integration),
        "public_host": not private,
        "private_host": private,
    }
    return frozenset(name for name, true in facts.items() if true)


def authenticates(integration: Integration) -> bool:
    """Whether the call proves who it is, or may: only a definition that says `none` says no."""
    if integration.credential or integration.inline_secret:
        return True
    return integration.authentication is not Authentication.NONE


def sends(integration: Integration) -> bool:
    """Whether somebody may get a message: all that writes, but for marking, moving and the like."""
    if integration.access == "read":
        return False
    resource, _, verb = integration.operation.rpartition(".")
    first = next(iter(words_of(verb)), "")
    if first == "create":
        return not resource or not _MESSAGES.isdisjoint(words_of(resource))
    return bool(integration.method) or first not in _NO_SENDING


def moves_money(integration: Integration) -> bool:
    """Whether a call to a payment service may move money: all that writes, but for what is plainly about a coupon."""
    if integration.kind is not IntegrationKind.PAYMENTS or integration.access == "read":
        return False
    words = {word.removesuffix("s") for word in words_of(integration.operation)}
    return words.isdisjoint(_NO_MONEY) or not words.isdisjoint(_MONEY)


def _is_text_model(integration: Integration) -> bool:
    """Whether the answer is text that somebody asked for in words, as far as names tell."""
    said = (*words_of(integration.node_type.rpartition(".")[2]), *words_of(integration.operation))
    return integration.kind is IntegrationKind.AI_MODEL and _NO_TEXT.isdisjoint(word.removesuffix("s") for word in said)


def shell_host(integration: Integration) -> str | None:
    """The host when it is known and safe to show inside a command."""
    host = integration.host or ""
    return host if _HOST.fullmatch(host) else None


def is_private(host: str) -> bool:
    """Whether a host can only be reached from our own network."""
    if not host:
        return False
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_global
    except ValueError:
        name = host.lower().rstrip(".")
        return "." not in name or name.endswith(_PRIVATE_ENDINGS)


def workflow_conditions(
    workflow: Workflow, shape: WorkflowShape, integrations: Sequence[Integration]
) -> frozenset[str]:
    """What is true of a workflow as a whole."""
    # A trigger at a service has a section of its own, which says the same in that service's words.
    own_section = any(integration.direction == "inbound" for integration in integrations)
    by_form = shape.trigger is not None and short_type(shape.trigger.type) in _FORMS
    facts = {
        workflow.dialect.value: True,
        "webhook_triggered": shape.trigger_type == "webhook" and not by_form,
        "form_triggered": shape.trigger_type == "webhook" and by_form,
        "scheduled": shape.trigger_type == "schedule",
        "event_triggered": shape.trigger_type == "event" and not own_section,
        "has_steps": shape.has_steps,
        **{f"has_{role.value}": bool(shape.by_role[role]) for role in Role if role is not Role.TRIGGER},
    }
    return frozenset(name for name, true in facts.items() if true)
