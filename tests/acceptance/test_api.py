"""The README's lines for the HTTP API, run as they stand there, after the demo."""

import json
import os
import re
import subprocess
from pathlib import Path

import app
from tests.support.commands import installed, runbooks
from tests.support.prefect import free_port

README = Path(app.__file__).parent.parent / "README.md"
TIMEOUT_S = 120


def lines_of_the_readme() -> str:
    section = README.read_text().partition("\n## HTTP API\n")[2]
    block = re.search(r"```sh\n(.*?)```", section, re.DOTALL)
    assert block is not None
    return block[1]


def test_the_lines_of_the_readme_do_what_they_say(tmp_path: Path) -> None:
    env = {
        **os.environ,
        "RUNBOOKS_HOME": str(tmp_path / "home"),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": "",
        "PATH": f"{Path(installed('runbooks')).parent}:{os.environ['PATH']}",
    }
    assert runbooks("demo", env=env).returncode == 0
    script = lines_of_the_readme().replace("8000", str(free_port()))
    done = subprocess.run(["bash", "-c", f"{script}\nwait"], env=env, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr
    generated, acknowledged, rated, *others = [line for line in done.stdout.splitlines() if line.startswith('{"')]
    assert json.loads(generated)["runbook"]["title"] == "Runbook: HubSpot Contact Sync"
    assert json.loads(acknowledged)["data"]["status"] == "acknowledged"
    assert json.loads(rated)["data"]["rating"] == "useful"
    assert [json.loads(one) for one in others] == [{"message": "Accepted."}] * 2
    assert '"useful": 1' in done.stdout
    assert re.search(r"^# (?!Execution Failure Runbook)\S+", done.stdout, re.MULTILINE), "the reactive runbook's page"
    assert 'runbooks_runs_total{flow="execution-failed",outcome="completed"} 1.0' in done.stdout
    assert 'runbooks_runs_total{flow="workflow-published",outcome="completed"} 2.0' in done.stdout
