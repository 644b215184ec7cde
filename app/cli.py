"""The command `runbooks`. Commands import what they need when they run, so that the small ones start at once."""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from runbooks import __version__
from runbooks.errors import RunbooksError, SettingsError
from runbooks.settings import WriterChoice

OK, SOME_FAILED, BAD_USAGE, INTERRUPTED = 0, 1, 2, 130

Format = Literal["markdown", "json"]
Flag = Parameter(negative="")

app = App(
    name="runbooks",
    version=__version__,
    help="Operational runbooks for every active workflow, before it fails.",
    suppress_keyboard_interrupt=False,  # `main` says what becomes of what was done
)


@app.command
def demo() -> int:
    """Fill the embedded database with a demo workspace, sweep it, and show what you get."""
    from app.demo import run_demo

    return run_demo()


@app.command
def migrate(
    *,
    down: Annotated[bool, Flag] = False,
    yes: Annotated[bool, Flag] = False,
    sql: Annotated[bool, Flag] = False,
) -> int:
    """Add our tables and columns to the database; safe to run twice.

    Args:
        down: Remove what was added; deletes the proactive runbooks, and asks before it does.
        yes: Answer yes to the question.
        sql: Print the SQL instead of running it, for somebody who may.
    """
    from app.migrate import run_migrate

    return run_migrate(down=down, yes=yes, sql=sql)


@app.command
def sweep(
    *,
    workspace: str | None = None,
    full: Annotated[bool, Flag] = False,
    limit: Annotated[int | None, Parameter(validator=lambda _type, value: _positive(value))] = None,
    writer: WriterChoice = "auto",
    dry_run: Annotated[bool, Flag] = False,
    max_cost: Annotated[float | None, Parameter(validator=lambda _type, value: _not_negative(value))] = None,
    max_tokens: Annotated[int | None, Parameter(validator=lambda _type, value: _not_negative(value))] = None,
    batch: Annotated[bool, Flag] = False,
    shards: Annotated[int, Parameter(validator=lambda _type, value: _at_most(value, 100))] = 1,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Write a runbook for every active workflow that changed, and report coverage.

    Args:
        workspace: Only this workspace.
        full: Write every runbook anew, changed or not.
        limit: At most so many workflows, the busiest first.
        writer: Who writes; auto is the LLM when one is configured, else the catalogue.
        dry_run: Only count what a sweep would write now; nothing is stored and no model is called.
        max_cost: Spend at most so many US dollars on the model; the catalogue writes the rest.
        max_tokens: Use at most so many tokens of the model; the catalogue writes the rest.
        batch: Ask the model in batches of its server, at half the price; the answers may take a day.
        shards: Spread the work over so many flow runs at most, for the workers of a Prefect server; not with batch.
        json: Print the report as JSON, and nothing else, on stdout.
    """
    from app.sweep import run_sweep
    from runbooks.core.spending import Allowance

    return run_sweep(
        workspace_id=workspace,
        full=full,
        limit=limit,
        writer=writer,
        dry_run=dry_run,
        budget=Allowance(max_tokens, max_cost),
        batch=batch,
        shards=shards,
        as_json=json,
    )


@app.command
def generate(
    workflow_id: str,
    *,
    historical_data: bool = True,
    writer: WriterChoice = "auto",
    format: Format = "markdown",  # noqa: A002 - the option's name
) -> int:
    """Write, store and print the runbook of one workflow.

    Args:
        workflow_id: Id of the workflow as the platform shows it.
        historical_data: Use what history says about its integrations.
        writer: Who writes; auto is the LLM when one is configured, else the catalogue.
        format: What to print.
    """
    from app.single import run_generate

    return run_generate(workflow_id, historical_data=historical_data, writer=writer, output=format)


@app.command
def show(workflow_id: str, *, format: Format = "markdown") -> int:  # noqa: A002 - the option's name
    """Print the stored runbook of one workflow.

    Args:
        workflow_id: Id of the workflow as the platform shows it.
        format: What to print.
    """
    from app.single import run_show

    return run_show(workflow_id, output=format)


@app.command
def incident(execution_id: str, *, format: Format = "markdown") -> int:  # noqa: A002 - the option's name
    """Find what a failed execution needs, store that on its row, and print it.

    Args:
        execution_id: Id of the failed execution as the platform shows it.
        format: What to print.
    """
    from app.incident import run_incident

    return run_incident(execution_id, output=format)


@app.command
def history(workflow_id: str, *, json: Annotated[bool, Flag] = False) -> int:
    """List the versions of a workflow's runbook: when, by whom, why.

    Args:
        workflow_id: Id of the workflow as the platform shows it.
        json: Print JSON.
    """
    from app.history import run_history

    return run_history(workflow_id, as_json=json)


@app.command
def diff(
    workflow_id: str, first: int | None = None, second: int | None = None, *, json: Annotated[bool, Flag] = False
) -> int:
    """Say what changed between two versions of a workflow's runbook, and why it was written anew.

    Args:
        workflow_id: Id of the workflow as the platform shows it.
        first: Number of the earlier version; without, the one before the latest.
        second: Number of the later version; without, the latest.
        json: Print JSON.
    """
    from app.diff import run_diff

    return run_diff(workflow_id, first, second, as_json=json)


@app.command
def coverage(*, workspace: str | None = None, json: Annotated[bool, Flag] = False) -> int:
    """Report how much of what runs has a runbook, and whether the runbooks help.

    Args:
        workspace: Only this workspace.
        json: Print JSON.
    """
    from app.coverage import run_coverage

    return run_coverage(workspace_id=workspace, as_json=json)


@app.command
def preview(
    *files: Annotated[str, Parameter(allow_leading_hyphen=True)],
    format: Format = "markdown",  # noqa: A002 - the option's name
    out: Path | None = None,
    writer: WriterChoice = "auto",
) -> int:
    """Write runbooks for exported workflow files (n8n or LinkFlow), without a database.

    Args:
        files: Exported workflows, JSON lists of them, or folders of such files; `-` reads standard input.
        format: What to print.
        out: Write one file a workflow into this folder instead of printing.
        writer: Who writes; auto is the LLM when one is configured, else the catalogue.
    """
    from app.preview import run_preview

    for name in files:
        if name.startswith("--"):
            raise SettingsError(f"unknown option {name}; see `runbooks preview --help`")
    return run_preview(list(files), output=format, out=out, writer=writer)


@app.command
def classify(*, explain: Annotated[bool, Flag] = False) -> int:
    """Read errors as JSON lines on stdin and print the failure class of each.

    A line is `{"id", "service", "status", "status_code", "error_code", "message"}`; any may be missing.

    Args:
        explain: Say which rule decided.
    """
    from app.classify import run_classify

    return run_classify(explain=explain)


@app.command
def match(
    workflow_id: str | None = None,
    *,
    file: Path | None = None,
    node: str,
    message: str,
    status_code: int | None = None,
    error_code: str | None = None,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Find the scenario of a runbook that fits a concrete error.

    Args:
        workflow_id: Id of a workflow with a stored runbook.
        file: An exported workflow instead.
        node: Key of the node that failed, or its label.
        message: The error's text.
        status_code: The HTTP status, if there was one.
        error_code: The provider's own code, if there was one.
        json: Print JSON.
    """
    from app.match import run_match

    return run_match(
        workflow_id,
        file=file,
        node=node,
        message=message,
        status_code=status_code,
        error_code=error_code,
        as_json=json,
    )


@app.command
def backtest(
    *,
    workspace: str | None = None,
    days: Annotated[int, Parameter(validator=lambda _type, value: _positive(value))] = 90,
    json: Annotated[bool, Flag] = False,
) -> int:
    """Hold the platform's own past failures against the runbooks: how often is the right scenario first?

    Args:
        workspace: Only this workspace.
        days: How far to look back.
        json: Print JSON.
    """
    from app.backtest import run_backtest

    return run_backtest(workspace_id=workspace, days=days, as_json=json)


@app.command(name="catalogue-check")
def catalogue_check() -> int:
    """Say what is wrong or thin in the failure catalogue."""
    from app.catalogue_check import run_catalogue_check

    return run_catalogue_check()


evaluate = App(name="evaluate", help="Measure how good a part is, on cases that somebody judged.")
app.command(evaluate)


@evaluate.command(name="extraction")
def evaluate_extraction(*files: str, truth: Path) -> int:
    """Measure how many of the external nodes of workflows are found.

    Args:
        files: Exported workflows, or folders of them.
        truth: JSON lines `{"file", "nodes": [{"node_key", "external", "service"?, "host"?}]}`.
    """
    from app.evaluate import run_evaluate_extraction

    return run_evaluate_extraction(truth, list(files))


@evaluate.command(name="errors")
def evaluate_errors(file: Path) -> int:
    """Measure how many errors get the failure class that a person gave them.

    Args:
        file: JSON lines with `category` and what `classify` reads; `alt_category` is also accepted.
    """
    from app.evaluate_errors import run_evaluate_errors

    return run_evaluate_errors(file)


@evaluate.command(name="runbooks")
def evaluate_runbooks(*files: str, writer: WriterChoice = "auto", json: Annotated[bool, Flag] = False) -> int:
    """Write runbooks for workflows and measure how good they are.

    Args:
        files: Exported workflows, or folders of them.
        writer: Who writes; auto is the LLM when one is configured, else the catalogue.
        json: Print JSON, with the figures of each workflow.
    """
    from app.evaluate_runbooks import run_evaluate_runbooks

    return run_evaluate_runbooks(list(files), writer=writer, as_json=json)


@app.command
def lint(
    *files: str,
    format: Literal["text", "json", "sarif"] = "text",  # noqa: A002 - the option's name
) -> int:
    """Check any runbooks in Markdown for what a person in a hurry would miss.

    Args:
        files: Markdown files, or folders of them; `-` reads standard input.
        format: What to print.
    """
    from app.lint import run_lint

    return run_lint(list(files), output=format)


@app.command
def deploy() -> int:
    """Make or renew the work pool, the deployments and the automations on the Prefect server of PREFECT_API_URL."""
    from app.deploy import run_deploy

    return run_deploy()


@app.command
def up(
    *,
    host: str = "127.0.0.1",
    prefect_port: Annotated[int | None, Parameter(validator=lambda _type, value: _port(value or 0))] = None,
    api_port: Annotated[int, Parameter(validator=lambda _type, value: _port(value))] = 8000,
) -> int:
    """Run everything on this machine until Ctrl-C: database, Prefect server, deployments, worker, API.

    Args:
        host: Address to listen on; 0.0.0.0 for all, which lets everybody in who reaches it.
        prefect_port: Port of Prefect's server and UI; PREFECT_SERVER_API_PORT or 4200 if not given.
        api_port: Port of the HTTP API.
    """
    from app.up import run_up

    return run_up(host=host, prefect_port=prefect_port, api_port=api_port)


token = App(name="token", help="Who may use the HTTP API.")
app.command(token)


@token.command(name="create")
def token_create(
    *,
    workspace: str,
    scopes: str,
    expires_days: Annotated[int | None, Parameter(validator=lambda _type, value: _positive(value))] = None,
    user: str | None = None,
    name: str = "",
    json: Annotated[bool, Flag] = False,
) -> int:
    """Make a token and show it, this once.

    Args:
        workspace: Id of the workspace that it opens, or `all`.
        scopes: Comma-separated, of runbooks:read, runbooks:generate, runbooks:review, coverage:read.
        expires_days: After so many days it counts no more; without, it never expires.
        user: Id of the platform's user on whose behalf it acts, who then shows as the one who acknowledged.
        name: What it is for, to be told apart in the list.
        json: Print `{"id", "token"}`.
    """
    from app.token import run_create

    return run_create(workspace=workspace, scopes=scopes, expires_days=expires_days, user=user, name=name, as_json=json)


@token.command(name="list")
def token_list(*, json: Annotated[bool, Flag] = False) -> int:
    """List the tokens that were made.

    Args:
        json: Print JSON.
    """
    from app.token import run_list

    return run_list(as_json=json)


@token.command(name="revoke")
def token_revoke(token_id: str) -> int:
    """End a token; its next request is refused.

    Args:
        token_id: Its id, as shown by `token list`.
    """
    from app.token import run_revoke

    return run_revoke(token_id)


@app.command
def serve(
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=lambda _type, value: _port(value))] = 8000,
) -> int:
    """Serve the HTTP API until it is stopped.

    Args:
        host: Address to listen on; 0.0.0.0 for all.
        port: Port to listen on; 0 for any that is free.
    """
    from app.serve import run_serve

    return run_serve(host=host, port=port)


@app.command
def doctor() -> int:
    """Check the database, Prefect and the LLM, one line each, with the fix."""
    from app.doctor import run_doctor

    return run_doctor()


def main() -> None:
    """Run the command line; errors are one line on stderr."""
    try:
        code = app(exit_on_error=False, print_error=False)
    except (CycloptsError, RunbooksError) as error:
        print(f"runbooks: {' '.join(str(error).split())}", file=sys.stderr)
        code = BAD_USAGE
    except KeyboardInterrupt:
        print("runbooks: interrupted; what was stored so far is kept", file=sys.stderr)
        code = INTERRUPTED
    except BrokenPipeError:
        # The reader, `head` for one, has seen enough; nothing more can be said on stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = OK
    sys.exit(code if isinstance(code, int) else OK)


def _positive(value: int | None) -> None:
    if value is not None and value < 1:
        raise ValueError("must be at least 1")


def _at_most(value: int, most: int) -> None:
    if not 1 <= value <= most:
        raise ValueError(f"must be between 1 and {most}")


def _not_negative(value: float | None) -> None:
    if value is not None and not value >= 0:
        raise ValueError("must not be negative")


def _port(value: int) -> None:
    if not 0 <= value <= 65535:
        raise ValueError("must be between 0 and 65535")
