"""Coverage of a workspace, and the services it depends on."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel
from sqlalchemy import Connection

from app.api.answers import json_answer
from app.api.auth import Access, CoverageReader
from app.api.errors import documented
from app.api.pagination import Links, Meta, Page, page_answer
from app.api.state import Shared, State
from runbooks.adapters import coverage
from runbooks.adapters.coverage import save_snapshot
from runbooks.adapters.coverage_trend import TrendPoint, coverage_trend, latest_snapshot, measure_alone
from runbooks.adapters.integration_list import ServiceUse, list_services
from runbooks.adapters.ratings import read_ratings, useless_scenarios
from runbooks.bootstrap import open_classifier
from runbooks.core.coverage import CoverageReport

router = APIRouter(tags=["coverage"], responses=documented(401, 403, 404, 422, 429))

FRESH = timedelta(minutes=10)
"""A snapshot that is older is taken anew when somebody asks."""


class UselessScenarioBody(BaseModel):
    """A scenario that readers found useless."""

    scenario_id: str
    not_useful: int
    somewhat_useful: int
    comments: list[str]


class Coverage(CoverageReport):
    """The report of a sweep, with what readers say now, and the trend when it was asked for."""

    useless_scenarios: list[UselessScenarioBody]
    history: list[TrendPoint] | None = None


class CoverageAnswer(BaseModel):
    """Coverage."""

    data: Coverage


class ServicePage(BaseModel):
    """A page of services."""

    data: list[ServiceUse]
    links: Links
    meta: Meta


@router.get("/workspaces/{workspace}/coverage", response_model=CoverageAnswer)
def show_coverage(
    access: CoverageReader,
    shared: Shared,
    history: Annotated[int | None, Query(ge=1, le=365, description="Add a point for each of so many days")] = None,
) -> Response:
    """Say how much of what runs in the workspace has a runbook: the latest snapshot, with today's ratings."""
    with shared.database.begin() as connection:
        report = _snapshot(connection, access, shared)
        report["ratings"] = read_ratings(connection, access.workspace_id, schema=access.schema).model_dump(mode="json")
        report["useless_scenarios"] = [
            asdict(one) for one in useless_scenarios(connection, access.workspace_id, schema=access.schema)
        ]
        if history is not None:
            points = coverage_trend(connection, access.workspace_id, days=history, schema=access.schema)
            report["history"] = [point.model_dump(mode="json") for point in points]
    return json_answer(data=orjson.dumps(report).decode())


def _snapshot(connection: Connection, access: Access, shared: State) -> dict[str, Any]:
    now = datetime.now(UTC)
    found = latest_snapshot(connection, access.workspace_id, since=now - FRESH, schema=access.schema)
    if found is None:
        measure_alone(connection, access.workspace_id)
        found = latest_snapshot(connection, access.workspace_id, since=now - FRESH, schema=access.schema)
    if found is not None:
        return found
    settings = shared.settings
    report = coverage.CoverageReader(
        connection, schema=access.schema, classify=open_classifier().classify, workspace_id=access.workspace_id
    ).read(now=now, target=settings.coverage_target, window_days=settings.history_days)
    save_snapshot(connection, report, schema=access.schema)
    return report.model_dump(mode="json")


@router.get("/workspaces/{workspace}/integrations", response_model=ServicePage)
def list_integrations(
    request: Request, access: CoverageReader, shared: Shared, page: Annotated[Page, Query()]
) -> Response:
    """List the services that active workflows depend on, and how reliable they have been."""
    with shared.database.begin() as connection:
        services = list_services(
            connection, access.workspace_id, schema=access.schema, window_days=shared.settings.history_days
        )
    shown = services[page.offset : page.offset + page.per_page]
    return page_answer(request, page, total=len(services), rows=[one.model_dump_json() for one in shown])
