"""For whoever runs the API: is it alive, is it ready, what does it do."""

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from app.api.errors import documented
from app.api.state import Shared
from runbooks.adapters.figures import Figures, read_figures
from runbooks.adapters.schema import is_current
from runbooks.errors import RunbooksError, SchemaOutdated

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    """All is well."""

    status: str


@router.get("/healthz", response_model=Health)
async def healthz() -> Health:
    """Say that the process answers; the database is not asked."""
    return Health(status="ok")


@router.get("/readyz", response_model=Health, responses=documented())
def readyz(shared: Shared) -> Health:
    """Say whether requests can be answered: the database is there and migrated."""
    with shared.database.begin() as connection:
        if not is_current(connection):
            raise SchemaOutdated("the database is not migrated to this version")
    return Health(status="ready")


@router.get("/metrics", response_class=PlainTextResponse)
def metrics(shared: Shared) -> Response:
    """Figures for Prometheus."""
    try:
        with shared.database.begin() as connection:
            figures: Figures | None = read_figures(connection)
    except RunbooksError:  # the process's own figures matter most just then
        figures = None
    shared.metrics.of_database(figures)
    return Response(generate_latest(shared.metrics.registry), media_type=CONTENT_TYPE_LATEST)
