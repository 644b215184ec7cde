"""What readers say of a runbook."""

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from app.api.auth import Reviewer, own_id
from app.api.errors import INVALID, ApiError, documented, not_found
from app.api.plain_text import PlainText
from app.api.runbooks import RunbookId
from app.api.state import Shared
from runbooks.adapters.ratings import Rating, has_scenario, rate
from runbooks.adapters.runbook_list import has_row

router = APIRouter(tags=["ratings"])


Word = Literal["not_useful", "somewhat_useful", "useful", "very_useful"]


class RatingBody(BaseModel):
    """How useful it was; with a scenario, how useful that one was."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"rating": "very_useful", "comment": "Led straight to the rotated key."}]},
    )

    rating: Word
    scenario_id: Annotated[PlainText, Field(max_length=200)] | None = None
    comment: Annotated[PlainText, Field(max_length=2000)] | None = None


class Rated(BaseModel):
    """The rating as it is kept."""

    rating: Word
    scenario_id: str | None
    comment: str | None


class RatedAnswer(BaseModel):
    """One rating."""

    data: Rated


@router.post(
    "/workspaces/{workspace}/runbooks/{runbook}/ratings",
    response_model=RatedAnswer,
    responses=documented(400, 401, 403, 404, 413, 422, 429),
)
def rate_runbook(runbook: RunbookId, body: RatingBody, access: Reviewer, shared: Shared) -> RatedAnswer:
    """Rate a runbook; a later rating by the same person replaces the earlier one."""
    runbook_id = own_id(runbook, access.schema.runbook_columns["id"])
    given = Rating(body.rating, body.scenario_id, body.comment)
    with shared.database.begin() as connection:
        if not has_row(connection, access.workspace_id, runbook_id, schema=access.schema):
            raise not_found()
        if given.scenario_id is not None and not has_scenario(
            connection, runbook_id, given.scenario_id, schema=access.schema
        ):
            raise ApiError(422, INVALID, fields={"scenario_id": "the runbook has no such scenario"})
        rate(connection, runbook_id, access.token.person, given, schema=access.schema)
    return RatedAnswer(data=Rated(**vars(given)))
