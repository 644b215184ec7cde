"""The files of `deployments/` as Prefect reads them."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from prefect import Flow
from prefect.events.schemas.automations import AutomationCore
from prefect.flows import load_flow_from_entrypoint
from prefect.server.schemas.schedules import CronSchedule

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


CHANGES = {
    "Europe/Berlin": ("2027-03-28", "2027-10-31"),  # 02:00 to 03:00 is left out, and is there twice
    "America/New_York": ("2027-03-14", "2027-11-07"),  # the same; 01:00 to 02:00 is there twice
    "UTC": ("2027-03-28", "2027-10-31"),
}


@pytest.mark.parametrize("cron", ["0 2 * * *", "30 2 * * *", "30 1 * * *", "0 3 * * *"])
@pytest.mark.parametrize(("zone", "day"), [(zone, day) for zone, days in CHANGES.items() for day in days])
def test_there_is_one_sweep_a_night_when_summer_time_begins_and_ends(zone: str, day: str, cron: str) -> None:
    document = with_settings(read("prefect.yaml"), Settings(timezone=zone, sweep_cron=cron))
    (deployed,) = next(one["schedules"] for one in document["deployments"] if "schedules" in one)
    schedule = CronSchedule(**deployed)  # the server's own, by which it makes the runs
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=ZoneInfo(zone))
    due: set[datetime] = set()
    for minutes in range(0, 3 * 24 * 60, 20):  # it looks again and again, before, in and after the hour in question
        due.update(asyncio.run(schedule.get_dates(3, start=noon - timedelta(days=2) + timedelta(minutes=minutes))))
    days = [one.astimezone(ZoneInfo(zone)).date() for one in due]
    for shift in (-1, 0, 1):
        assert days.count(noon.date() + timedelta(days=shift)) == 1
    (that_night,) = (one.astimezone(UTC) for one in due if one.astimezone(ZoneInfo(zone)).date() == noon.date())
    if (zone, cron) == ("Europe/Berlin", "0 2 * * *"):
        assert f"{that_night:%m-%d %H:%M}" in {"03-28 01:00", "10-31 00:00"}, "at 03:00; at 02:00 for the first time"


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
