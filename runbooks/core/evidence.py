"""History in sentences. Every figure comes with its count, its window and the scope that it was measured at."""

from runbooks.core.credential import CredentialFacts
from runbooks.core.credential_text import credential_sentences
from runbooks.core.failure_classes import FailureClass
from runbooks.core.flag_text import flag_sentences, pattern_sentence
from runbooks.core.reliability import FailureGroup, Reliability, Scope
from runbooks.core.terms import tidy

LONGEST_MESSAGE = 160
ENOUGH_CALLS = 20
"""With fewer calls a share says nothing, and only the counts are shown."""
CLASS_WORDS = {
    FailureClass.TIMEOUT: "timeouts",
    FailureClass.AUTH_FAILED: "refused logins",
    FailureClass.PERMISSION_DENIED: "missing permissions",
    FailureClass.RATE_LIMITED: "rate limits",
    FailureClass.QUOTA_OR_BILLING: "used-up allowances",
    FailureClass.NETWORK: "connection failures",
    FailureClass.TLS: "certificate failures",
    FailureClass.SERVER_ERROR: "server errors",
    FailureClass.INVALID_REQUEST: "refused requests",
    FailureClass.UNEXPECTED_RESPONSE: "unexpected answers",
    FailureClass.NOT_FOUND: "missing targets",
    FailureClass.CONFLICT: "conflicts",
    FailureClass.PAYLOAD_TOO_LARGE: "too large payloads",
    FailureClass.RESOURCE_EXHAUSTED: "exhausted resources",
    FailureClass.CONFIGURATION: "configuration errors",
    FailureClass.UNKNOWN: "failures of unknown class",
}
_TREND = {
    "worse": "It is getting worse: of the latest ones a clearly larger share failed than before.",
    "better": "It is getting better: of the latest ones a clearly smaller share failed than before.",
}


def history_sentences(
    reliability: Reliability,
    *,
    node: str,
    connector: str,
    included: bool,
    from_file: bool = False,
    timeout_s: float | None = None,
    credential: CredentialFacts | None = None,
) -> tuple[str, ...]:
    """What history says about an integration, or plainly that it says nothing."""
    if from_file:
        return ("History is not known, only the exported file is; the order below is by what usually happens.",)
    if not included:
        return ("History was left out on request; the order below is by what usually happens.",)
    if reliability.scope is Scope.NONE or not reliability.calls:
        return (
            f"No history: the last {reliability.window_days} days have no recorded call of node {node}. "
            "That does not mean that it is reliable; the order below is by what usually happens.",
            *credential_sentences(credential),
        )
    sentences = [_calls(reliability, node, connector), *flag_sentences(reliability)]
    sentences += _details(reliability, timeout_s)
    unknown = next((group for group in reliability.groups if group.failure_class is FailureClass.UNKNOWN), None)
    if unknown:
        sentences.append(
            f"{unknown.count} of the failures could not be told apart"
            + (f" (typically {_quoted(unknown.message)})" if unknown.message else "")
            + "; for such ones use the last scenario of this runbook."
        )
    return (*sentences, *credential_sentences(credential))


def evidence_sentences(group: FailureGroup, reliability: Reliability, *, node: str, connector: str) -> tuple[str, ...]:
    """What history says about one failure class at an integration."""
    share = f" ({_percent(group.share)})" if reliability.calls >= ENOUGH_CALLS else ""
    head = (
        f"{_count(group.count, 'failure')} of this kind in {_count(reliability.calls, _unit(reliability))}{share} "
        f"in the last {_days(reliability)}, measured {_scope(reliability, node, connector)}"
    )
    sentences = [f"{head}{_seen(group)}."]
    pattern = pattern_sentence(group, CLASS_WORDS[group.failure_class])
    if pattern:
        sentences.append(pattern)
    if group.message:
        sentences.append(f"Typical message: {_quoted(group.message)}")
    return tuple(sentences)


def _seen(group: FailureGroup) -> str:
    """First and last time in the window."""
    if group.last_seen is None:
        return ""
    first = f"first seen {group.first_seen:%Y-%m-%d %H:%M}, " if group.first_seen and group.count > 1 else ""
    return f"; {first}last seen {group.last_seen:%Y-%m-%d %H:%M} UTC"


def connector_words(node_type: str) -> str:
    """A connector as a reader knows it."""
    return tidy(node_type) or "this node type"


def _calls(reliability: Reliability, node: str, connector: str) -> str:
    rate = reliability.failure_rate or 0.0
    share = f" ({_percent(rate)})" if reliability.calls >= ENOUGH_CALLS else ""
    failed = f"{reliability.failures} failed{share}" if reliability.failures else "none failed"
    last = f", the last on {reliability.last_failure_at:%Y-%m-%d %H:%M} UTC" if reliability.last_failure_at else ""
    return (
        f"{_count(reliability.calls, _unit(reliability))} in the last {_days(reliability)}, {failed}{last}; "
        f"measured {_scope(reliability, node, connector)}."
    )


def _details(reliability: Reliability, timeout_s: float | None) -> list[str]:
    sentences = []
    classes = [group for group in reliability.groups if group.failure_class is not FailureClass.UNKNOWN]
    if classes:
        listed = ", ".join(f"{CLASS_WORDS[group.failure_class]} {group.count}×" for group in classes[:3])
        sentences.append(f"Most frequent: {listed}.")
        patterns = (pattern_sentence(group, CLASS_WORDS[group.failure_class]) for group in classes[:3])
        sentences += [sentence for sentence in patterns if sentence]
    if reliability.retries:
        helped = (
            f"{reliability.recovered:,} calls then succeeded" if reliability.recovered else "no call then succeeded"
        )
        sentences.append(f"{_count(reliability.retries, 'retry', 'retries')}: {helped}.")
    if reliability.p95_ms is not None:
        near = ""
        if timeout_s and reliability.scope is Scope.NODE and reliability.p95_ms >= 800 * timeout_s:
            full = reliability.p95_ms >= 995 * timeout_s
            why = "so the slowest are cut off" if full else "so there is little room"
            near = f" – the node gives up at {timeout_s:g} s, {why}"
        sentences.append(f"95% of the {_unit(reliability)}s took at most {_duration(reliability.p95_ms)}{near}.")
    if reliability.trend in _TREND:
        sentences.append(_TREND[reliability.trend])
    return sentences


def _scope(reliability: Reliability, node: str, connector: str) -> str:
    if reliability.scope is Scope.NODE:
        return f"at node {node}"
    if reliability.scope is Scope.WORKFLOW:
        return f"over all {connector} nodes of this workflow, not this node alone"
    return f"over all {connector} calls of the whole workspace, whatever they call, so it is not this node's own figure"


def _unit(reliability: Reliability) -> str:
    return "node run" if reliability.source == "executions" else "call"


def _days(reliability: Reliability) -> str:
    return f"{reliability.window_days} days" if reliability.window_days != 1 else "day"


def _count(number: int, word: str, plural: str | None = None) -> str:
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def _percent(share: float) -> str:
    percent = 100 * share
    if 0 < percent < 0.1:
        return "under 0.1%"
    return f"{percent:.1f}%" if percent < 10 else f"{percent:.0f}%"


def _duration(milliseconds: float) -> str:
    if milliseconds < 1000:
        return f"{milliseconds:.0f} ms"
    return f"{milliseconds / 1000:.1f} s" if milliseconds < 100_000 else f"{milliseconds / 1000:,.0f} s"


def _quoted(message: str) -> str:
    return f"“{tidy(message, LONGEST_MESSAGE)}”"
