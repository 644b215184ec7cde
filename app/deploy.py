"""`runbooks deploy`: the work pool, the deployments and the automations on a Prefect server, made or renewed."""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from app.console import say
from app.prefect_session import quiet_prefect, server_is_configured
from runbooks.errors import RunbooksError, SettingsError
from runbooks.settings import Settings, load_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

FOLDER = Path(__file__).resolve().parent.parent / "deployments"
TIMEOUT_S = 180
SAID = 5
"""Lines of Prefect's output that are told when it refuses."""


class DeployFailed(RunbooksError):
    """Prefect did not take the deployments."""


def run_deploy() -> int:
    """Make or renew everything that the server must know."""
    settings = load_settings()
    quiet_prefect()
    if not server_is_configured():
        raise SettingsError("which Prefect server? set PREFECT_API_URL, or use `runbooks up`, which brings one")
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            raise SettingsError(f"the Prefect server at {client.api_url} does not answer ({error})")
        ensure_work_pool(client, settings.work_pool)
        deploy_all(settings)
        names = apply_automations(client)
        limit = ensure_shared_limit(client, settings)
    say(f"Deployed to {client.api_url}: {', '.join(deployment_names())}; automations: {', '.join(names)}{limit}.")
    return 0


def ensure_work_pool(client: "SyncPrefectClient", name: str) -> None:
    """Make the work pool unless it is there; one of another type stays as it is."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        client.read_work_pool(name)
    except ObjectNotFound:
        pool = WorkPoolCreate(
            name=name, type="process", base_job_template=ProcessWorker.get_default_base_job_template()
        )
        try:
            client.create_work_pool(pool)
        except ObjectAlreadyExists:
            return  # another `runbooks deploy` was faster


def deploy_all(settings: Settings) -> None:
    """Hand Prefect the deployments, with the settings' pool, queue, schedule and time zone."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "prefect.yaml"
        path.write_text(yaml.safe_dump(with_settings(_read("prefect.yaml"), settings), sort_keys=False))
        done = subprocess.run(  # noqa: S603 - our own interpreter and file
            [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all", "--prefect-file", str(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise DeployFailed(f"Prefect did not take the deployments: {' '.join(lines[-SAID:])}")


def with_settings(document: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """The deployments with the settings' pool, queue, schedule and time zone in place of the defaults."""
    for deployment in document["deployments"]:
        deployment["work_pool"] |= {"name": settings.work_pool, "work_queue_name": settings.work_queue}
        for schedule in deployment.get("schedules", []):
            schedule |= {"cron": settings.sweep_cron, "timezone": settings.timezone}
    return document


def apply_automations(client: "SyncPrefectClient") -> list[str]:
    """Make our automations, or bring those of the same name to this version; returns their names."""
    from prefect.events.schemas.automations import AutomationCore

    wanted = [AutomationCore.model_validate(one) for one in _read("automations.yaml")["automations"]]
    for automation in wanted:
        present = client.read_automations_by_name(automation.name)
        if present:  # whether it is on is the server's people's decision
            client.update_automation(present[0].id, automation.model_copy(update={"enabled": present[0].enabled}))
        else:
            client.create_automation(automation)
    return [automation.name for automation in wanted]


def ensure_shared_limit(client: "SyncPrefectClient", settings: Settings) -> str:
    """Make the limit for a model's calls of all processes, or bring it to the setting; whether it is on stays as is."""
    if settings.llm_shared_concurrency is None:
        return ""
    from tasks.slot_server import LIMIT

    client.upsert_global_concurrency_limit_by_name(LIMIT, settings.llm_shared_concurrency)
    return f"; limit {LIMIT}: {settings.llm_shared_concurrency}"


def deployment_names() -> list[str]:
    """Names of the deployments."""
    return [one["name"] for one in _read("prefect.yaml")["deployments"]]


def _read(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document
