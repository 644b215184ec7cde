"""Commands as a user types them: help, bad usage, bad settings, small inputs."""

import json
import subprocess
import sys

import pytest
from sqlalchemy import URL

from tests.support.commands import runbooks

COMMANDS = [
    "demo",
    "migrate",
    "sweep",
    "generate",
    "show",
    "incident",
    "coverage",
    "preview",
    "classify",
    "match",
    "backtest",
    "evaluate",
    "catalogue-check",
    "doctor",
    "serve",
    "token",
]


def test_help_names_every_command() -> None:
    shown = runbooks("--help").stdout
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help(command: str) -> None:
    done = runbooks(command, "--help")
    assert done.returncode == 0
    assert f"runbooks {command}" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["sweep", "--limit", "0"],
        ["sweep", "--limit", "many"],
        ["sweep", "--writer", "monkey"],
        ["sweep", "--no-such-option"],
        ["generate"],
        ["preview", "--no-such-option"],
        ["migrate", "--down", "--sql"],
        ["frobnicate"],
    ],
)
def test_bad_usage_is_one_line_and_exit_2(arguments: list[str]) -> None:
    done = runbooks(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("runbooks: ")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("RUNBOOKS_DATABASE_URL", "mysql://root@127.0.0.1/x", "only PostgreSQL"),
        ("RUNBOOKS_DATABASE_URL", "not an address", "RUNBOOKS_DATABASE_URL"),
        ("RUNBOOKS_DATABASE_URL", "postgresql://u:notasecret@127.0.0.1:9/x", "no connection to the database"),
        ("RUNBOOKS_BATCH_SIZE", "lots", "RUNBOOKS_BATCH_SIZE"),
        ("RUNBOOKS_PROACTIVE_STATUS", "sleeping", "RUNBOOKS_PROACTIVE_STATUS"),
    ],
)
def test_a_bad_setting_is_named_in_one_line_without_its_secrets(variable: str, value: str, told: str) -> None:
    done = runbooks("coverage", env={variable: value})
    assert done.returncode == 2
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert "notasecret" not in done.stderr


def test_llm_writer_without_llm_says_what_to_set(database: URL) -> None:
    url = database.render_as_string(hide_password=False)
    done = runbooks("sweep", "--writer", "llm", env={"RUNBOOKS_DATABASE_URL": url})
    assert done.returncode == 2
    assert "RUNBOOKS_MODEL" in done.stderr


def test_a_database_that_is_not_migrated_is_told_with_the_next_step(empty_database: URL) -> None:
    url = empty_database.render_as_string(hide_password=False)
    for arguments in (["sweep"], ["coverage"], ["show", "1"], ["generate", "1"]):
        done = runbooks(*arguments, env={"RUNBOOKS_DATABASE_URL": url})
        assert done.returncode == 2
        assert "runbooks migrate" in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("workflow_id", ["1", "nonsense", "00000000-0000-0000-0000-000000000000", "' OR true --"])
def test_an_unknown_workflow_is_told(database: URL, workflow_id: str) -> None:
    url = database.render_as_string(hide_password=False)
    done = runbooks("show", workflow_id, env={"RUNBOOKS_DATABASE_URL": url})
    assert done.returncode == 2
    assert workflow_id in done.stderr


def test_classify_reads_and_writes_json_lines() -> None:
    lines = [
        {"id": 1, "service": "stripe", "status_code": 401, "message": "Invalid API Key provided"},
        {"id": "b", "message": "getaddrinfo ENOTFOUND api.example.com"},
        {"id": 3, "message": "Something went wrong"},
        {},
    ]
    done = runbooks("classify", stdin="\n".join(map(json.dumps, lines)))
    assert done.returncode == 0
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        {"id": 1, "failure_class": "auth_failed"},
        {"id": "b", "failure_class": "network"},
        {"id": 3, "failure_class": "unknown"},
        {"id": None, "failure_class": "unknown"},
    ]


def test_classify_reports_a_bad_line_and_goes_on() -> None:
    done = runbooks("classify", stdin='nonsense\n[1]\n{"id": 1, "status_code": 503}\n')
    assert done.returncode == 1
    assert [json.loads(line)["failure_class"] for line in done.stdout.splitlines()] == ["server_error"]
    assert "line 1" in done.stderr
    assert "line 2" in done.stderr


def test_classify_explains() -> None:
    done = runbooks("classify", "--explain", stdin='{"id": 1, "status_code": 429}')
    assert json.loads(done.stdout)["rule"]


def test_doctor_says_a_line_about_each_part(database: URL) -> None:
    url = database.render_as_string(hide_password=False)
    done = runbooks("doctor", env={"RUNBOOKS_DATABASE_URL": url, "PREFECT_API_URL": ""})
    assert done.returncode == 0, done.stdout
    assert [line.split()[:2] for line in done.stdout.splitlines()] == [
        ["database", "ok"],
        ["prefect", "off"],
        ["llm", "off"],
    ]


def test_doctor_names_what_is_broken_with_the_fix(empty_database: URL) -> None:
    broken = {
        "RUNBOOKS_DATABASE_URL": empty_database.render_as_string(hide_password=False),
        "PREFECT_API_URL": "http://127.0.0.1:9/api",
        "RUNBOOKS_MODEL": "m",
        "OPENAI_BASE_URL": "http://127.0.0.1:9/v1",
    }
    done = runbooks("doctor", env=broken)
    assert done.returncode == 1
    database, prefect, llm = done.stdout.splitlines()
    assert "runbooks migrate" in database
    assert "prefect server start" in prefect
    assert llm.split()[1] == "bad"


def test_small_commands_import_neither_prefect_nor_openai_nor_pandas() -> None:
    code = (
        "import sys; sys.argv = ['runbooks', 'classify']; sys.stdin = open('/dev/null')\n"
        "from app.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'prefect', 'openai', 'pandas', 'sqlalchemy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]"
