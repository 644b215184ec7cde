"""An execution that failed: where, with what error, after which calls, and what had run by then."""

from collections.abc import Collection, Sequence
from datetime import datetime

from runbooks.core.classifier import ErrorFacts
from runbooks.core.workflow import Frozen


class Execution(Frozen):
    """A failed execution as the platform lists it. All texts are redacted."""

    id: str
    workflow_id: str
    workspace_id: str
    failed_at: datetime
    mode: str = ""
    message: str = ""
    """The execution's own error."""
    error_code: str | None = None
    named_node: str | None = None
    """Key of the node that the error names, where it names one."""


class NodeRun(Frozen):
    """One run of a node; a node in a loop has several."""

    id: str
    node_key: str
    node_type: str = ""
    node_name: str = ""
    status: str = "completed"
    message: str = ""
    error_code: str | None = None


class CallAttempt(Frozen):
    """One call that a node made."""

    status: str
    status_code: int | None = None
    error_code: str | None = None
    message: str = ""

    @property
    def failed(self) -> bool:
        """Whether it brought no usable answer."""
        return self.status != "success"


class EarlierFailure(Frozen):
    """An earlier failed execution that failed at the same node."""

    at: datetime
    began_at: datetime
    """First failed execution of its incident: nothing completed in between."""
    recovered_at: datetime | None = None
    """The completed execution that ended the incident; None when that was still to come."""
    message: str = ""
    node_error_code: str | None = None
    last_attempt: CallAttempt | None = None


class Failure(Frozen):
    """Everything that the platform recorded about a failed execution."""

    execution: Execution
    run: NodeRun | None = None
    """The run that made it fail; None when no node can be named."""
    before: tuple[NodeRun, ...] = ()
    """Runs that had completed by then, in order."""
    attempts: tuple[CallAttempt, ...] = ()
    """Calls of that run, in order, each once."""
    earlier: tuple[EarlierFailure, ...] = ()
    """Latest first."""
    earlier_cut: bool = False
    """Whether there are more earlier failures than are told."""
    window_days: int = 30

    @property
    def node_key(self) -> str:
        """Key of the node that failed; empty when none can be named."""
        return self.run.node_key if self.run else ""


def failed_run(
    runs: Sequence[NodeRun], *, survived: Collection[str] = (), named_node: str | None = None
) -> NodeRun | None:
    """The run that made the execution fail: of the first failed node, its last one.

    `survived` are keys of nodes whose failure the workflow lives with: they count when nothing else failed, as does a
    run that a later one of the same node made good. Without a failed run it is the node that the error names, or the
    one that was still running.
    """
    failed = [run for run in runs if run.status == "failed"]
    completed = {run.node_key: place for place, run in enumerate(runs) if run.status == "completed"}
    fatal = [
        run
        for place, run in enumerate(runs)
        if run.status == "failed" and run.node_key not in survived and completed.get(run.node_key, -1) < place
    ]
    if failed:
        first = (fatal or failed)[0]
        return [run for run in failed if run.node_key == first.node_key][-1]
    if named_node:
        named = [run for run in runs if run.node_key == named_node]
        return named[-1] if named else NodeRun(id="", node_key=named_node, status="failed")
    running = [run for run in runs if run.status == "running"]
    return running[-1] if running else None


def completed_before(runs: Sequence[NodeRun], failed: NodeRun | None) -> tuple[NodeRun, ...]:
    """What had completed when the execution failed; with no failed run, all that completed."""
    end = next((place for place, run in enumerate(runs) if failed is not None and run.id == failed.id), len(runs))
    return tuple(run for run in runs[:end] if run.status == "completed")


def error_facts(
    *messages: str, service: str | None, node_error_code: str | None, last_attempt: CallAttempt | None
) -> ErrorFacts:
    """What a classifier may know; a last attempt that succeeded says nothing of a failure that came after it."""
    attempt = last_attempt if last_attempt is not None and last_attempt.failed else None
    texts: list[str] = []
    for message in (attempt.message if attempt else "", *messages):
        if message and not any(message in text for text in texts):
            texts.append(message)
    return ErrorFacts(
        service=service,
        status=attempt.status if attempt else None,
        status_code=attempt.status_code if attempt else None,
        error_code=(attempt.error_code if attempt else None) or node_error_code,
        message=" | ".join(texts) or None,
    )


def error_of(failure: Failure, service: str | None) -> ErrorFacts:
    """The error that made the execution fail."""
    run, execution = failure.run, failure.execution
    return error_facts(
        *([run.message, execution.message] if run else [execution.message]),
        service=service,
        node_error_code=(run.error_code if run else None) or execution.error_code,
        last_attempt=failure.attempts[-1] if failure.attempts else None,
    )


def error_of_earlier(earlier: EarlierFailure, service: str | None) -> ErrorFacts:
    """The error of an earlier failure, in the same form."""
    return error_facts(
        earlier.message,
        service=service,
        node_error_code=earlier.node_error_code,
        last_attempt=earlier.last_attempt,
    )
