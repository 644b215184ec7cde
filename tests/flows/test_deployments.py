"""The files of `deployments/` as Prefect reads them."""

from typing import Any

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint

from app.deploy import FOLDER, with_settings
from runbooks.errors import SettingsError
from runbooks.settings import Settings, load_settings


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


@pytest.mark.parametrize("deployment", read("prefect.yaml")["deployments"], ids=lambda one: one["name"])
def test_every_deployment_names_a_flow_of_the_installed_package(deployment: dict[str, Any]) -> None:
    flow: Flow[..., Any] = load_flow_from_entrypoint(deployment["entrypoint"])
    assert flow.name == deployment["name"]
    for trigger in deployment.get("triggers", []):
        assert set(trigger["parameters"]) <= set(flow.parameters.properties)


def test_nothing_is_pulled_and_no_path_of_a_machine_is_written_down() -> None:
    assert read("prefect.yaml")["pull"] == []
    for path in FOLDER.glob("*.yaml"):
        assert str(FOLDER.parent) not in path.read_text()


@pytest.mark.parametrize("name", ["automations.yaml", "notifications.example.yaml"])
def test_prefect_understands_the_automations(name: str) -> None:
    automations = [AutomationCore.model_validate(one) for one in read(name)["automations"]]
    names = [automation.name for automation in automations]
    assert len(set(names)) == len(names) > 0
    assert all(name.startswith("runbooks: ") for name in names)


def test_pool_queue_schedule_and_time_zone_come_from_the_settings() -> None:
    settings = Settings(work_pool="ops", work_queue="slow", sweep_cron="30 3 * * 1-5", timezone="Europe/Berlin")
    document = with_settings(read("prefect.yaml"), settings)
    for deployment in document["deployments"]:
        assert (deployment["work_pool"]["name"], deployment["work_pool"]["work_queue_name"]) == ("ops", "slow")
    (schedule,) = next(one["schedules"] for one in document["deployments"] if "schedules" in one)
    assert schedule == {"cron": "30 3 * * 1-5", "timezone": "Europe/Berlin"}


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("RUNBOOKS_TIMEZONE", "Mars/Olympus", "no time zone"),
        ("RUNBOOKS_LINK", "https://ops.example.com/", "workflow_id"),
        ("RUNBOOKS_LINK", "https://ops.example.com/{id}", "workflow_id"),
    ],
)
def test_a_setting_that_cannot_work_is_told_before_anything_is_deployed(
    variable: str, value: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=f"{variable}.*{reason}"):
        load_settings()
