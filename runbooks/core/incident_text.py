"""Sentences about one failed execution: what is the trouble, what the error was, what a re-run would repeat."""

from collections.abc import Iterator, Sequence

from runbooks.core.consequences import rerun_text
from runbooks.core.facts import Facts
from runbooks.core.failed_execution import CallAttempt, Failure, NodeRun
from runbooks.core.failure_classes import FailureClass
from runbooks.core.integration import Integration
from runbooks.core.integrations import sub_workflows
from runbooks.core.terms import Names, tidy

LONGEST_ERROR = 400
LONGEST_SERVICE = 80
MOST_ATTEMPTS = 6
TROUBLE = {
    FailureClass.TIMEOUT: "no answer in time",
    FailureClass.AUTH_FAILED: "authentication failed",
    FailureClass.PERMISSION_DENIED: "permission denied",
    FailureClass.RATE_LIMITED: "rate limit reached",
    FailureClass.QUOTA_OR_BILLING: "allowance used up or bill unpaid",
    FailureClass.NETWORK: "could not be reached",
    FailureClass.TLS: "no secure connection",
    FailureClass.SERVER_ERROR: "failed on its side",
    FailureClass.INVALID_REQUEST: "refused the request",
    FailureClass.UNEXPECTED_RESPONSE: "unexpected answer",
    FailureClass.NOT_FOUND: "target not found",
    FailureClass.CONFLICT: "conflict with what is there",
    FailureClass.PAYLOAD_TOO_LARGE: "payload too large",
    FailureClass.RESOURCE_EXHAUSTED: "resources exhausted",
    FailureClass.CONFIGURATION: "wrong configuration",
    FailureClass.UNKNOWN: "failed in an unknown way",
}
_INSIDE = ("trigger", "logic", "transform")
"""How types of nodes begin that call nothing outside the platform."""


def title_of(trouble: str, *, subject: str, node: str) -> str:
    """`Stripe API: authentication failed at Charge card`; without a node there is no place to name."""
    title = f"{tidy(subject, LONGEST_SERVICE) or 'Workflow'}: {trouble}"
    return f"{title} at {tidy(node)}" if node else title


def trouble_inside(scenario: str) -> str:
    """What a scenario about the platform itself is called, in the middle of a title."""
    return scenario[:1].lower() + scenario[1:] if scenario[1:2].islower() else scenario


def error_sentence(failure: Failure) -> str:
    """The error's own words, or that there are none."""
    run = failure.run
    last = failure.attempts[-1] if failure.attempts and failure.attempts[-1].failed else None
    said = next((text for text in (run.message if run else "", failure.execution.message) if text.strip()), "")
    answer = last.message if last and last.message not in said else ""
    code = (last.error_code if last else None) or (run.error_code if run else None) or failure.execution.error_code
    details = ", ".join(
        part
        for part in (
            f"status {last.status_code}" if last and last.status_code else "",
            f"code {tidy(code)}" if code else "",
        )
        if part
    )
    quoted = ", ".join(f"“{tidy(text, LONGEST_ERROR)}”" for text in (said, answer) if text.strip())
    return f"{quoted or 'the platform recorded no text'}{f' ({details})' if details else ''}"


def attempts_sentence(attempts: Sequence[CallAttempt]) -> str:
    """How each call of the node ended; empty for one call, whose end is the error itself."""
    if len(attempts) < 2:
        return ""
    shown = [_outcome(one) for one in attempts[-MOST_ATTEMPTS:]]
    cut = f"the last {len(shown)} " if len(attempts) > len(shown) else ""
    return f"{len(attempts)} calls, {cut}ended with: {', '.join(shown)}."


def _outcome(attempt: CallAttempt) -> str:
    words = attempt.status.replace("_", " ")
    return f"{words} {attempt.status_code}" if attempt.status_code else words


def before_sentences(failure: Failure, facts: Facts | None, names: Names) -> tuple[str, ...]:
    """What had been done when the execution failed, and what a re-run would repeat of it."""
    if not failure.before and failure.run is None:
        return ("The platform recorded no runs of nodes, so what was done before is not known.",)
    if facts is None:
        return (_ran_unjudged(failure.before, names),)
    acting, unsure = acting_again(failure.before, facts)
    integration = next((one for one in facts.integrations if one.node_key == failure.node_key), None)
    sentences = [_done(acting, failure.before, facts, names)] if acting else []
    if unsure:
        did = "has" if len(unsure) == 1 else "have"
        sentences.append(
            f"Whether {names.several(unsure)} {did} changed anything elsewhere, the definition does not tell."
        )
    again = sum(run.node_key == failure.node_key for run in failure.before)
    if again:
        times = "once" if again == 1 else f"{again:,} times"
        sentences.append(f"Node {names[failure.node_key]} itself had completed {times} before it failed.")
    if integration is not None:
        return (*sentences, _rerun(integration, acting, names))
    if not acting and not unsure:
        sentences.append("Safe to run again: nothing that ran before the failure changes anything elsewhere.")
    elif acting:
        sentences.append("A full re-run would repeat that; re-run from the failed node where the platform allows it.")
    return tuple(sentences)


def acting_again(before: Sequence[NodeRun], facts: Facts) -> tuple[list[str], list[str]]:
    """Keys of completed nodes that a re-run would make act again, and of those that nobody can tell of, in order."""
    certain = {key for one in facts.integrations for key in one.repeats} | sub_workflows(facts.workflow)
    open_ones = {one.node_key for one in facts.integrations if one.access == "unknown"}
    known = {node.key for node in facts.workflow.nodes}
    acting: dict[str, None] = {}
    unsure: dict[str, None] = {}
    for run in before:
        if run.node_key in certain:
            acting[run.node_key] = None
        elif run.node_key in open_ones or (run.node_key not in known and not run.node_type.startswith(_INSIDE)):
            unsure[run.node_key] = None
    return list(acting), list(unsure)


def _rerun(integration: Integration, acting: Sequence[str], names: Names) -> str:
    """What is said of a re-run in general, narrowed to what really ran, nearest first."""
    own = [key for key in integration.repeats if key == integration.node_key]
    ran = [key for key in reversed(acting) if key != integration.node_key]
    return rerun_text(integration.model_copy(update={"repeats": (*own, *ran)}), names)


def _done(acting: Sequence[str], before: Sequence[NodeRun], facts: Facts, names: Names) -> str:
    return f"Done already: {'; '.join(_deeds(acting, before, facts, names))}."


def _deeds(acting: Sequence[str], before: Sequence[NodeRun], facts: Facts, names: Names) -> Iterator[str]:
    by_key = {one.node_key: one for one in facts.integrations}
    for key in acting:
        times = sum(run.node_key == key for run in before)
        one = by_key.get(key)
        what = f" ({tidy(one.operation)}, {tidy(one.service)})" if one and one.operation else ""
        yield f"{names[key]}{what}{f', {times:,} times' if times > 1 else ''}"


def _ran_unjudged(before: Sequence[NodeRun], names: Names) -> str:
    if not before:
        return "No node had completed before."
    keys = list(dict.fromkeys(run.node_key for run in before))
    return f"Before it ran {names.several(keys)}; what they changed is not known, the definition cannot be read."
