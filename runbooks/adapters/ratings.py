"""What readers say of runbooks: one rating a person and runbook, later ones replace."""

import json
from dataclasses import dataclass

from sqlalchemy import Connection, text

from runbooks.adapters.schema import HostSchema
from runbooks.core.coverage import Ratings

USELESS_SHOWN = 50
COMMENTS_SHOWN = 5
IN_SECTIONS = "$[*].failure_scenarios[*] ? (@.scenario_id == $id)"
IN_GENERAL = "$[*] ? (@.scenario_id == $id)"


@dataclass(frozen=True)
class Rating:
    """One person's word on one runbook, or on one scenario of it."""

    rating: str
    scenario_id: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class UselessScenario:
    """A scenario that readers found useless, with what they said."""

    scenario_id: str
    not_useful: int
    somewhat_useful: int
    comments: tuple[str, ...]
    """The newest few."""


def rate(connection: Connection, runbook_id: str, rater: str, given: Rating, *, schema: HostSchema) -> None:
    """Keep a rating in place of the person's earlier one."""
    query = f"""
        INSERT INTO runbook_ratings (runbook_id, rater, rating, scenario_id, comment)
        VALUES (CAST(:runbook_id AS {schema.runbook_columns["id"]}), :rater, :rating, :scenario_id, :comment)
        ON CONFLICT (runbook_id, rater) DO UPDATE SET rating = EXCLUDED.rating,
            scenario_id = EXCLUDED.scenario_id, comment = EXCLUDED.comment, updated_at = now()
    """  # noqa: S608 - a type name read from the catalogue
    connection.execute(text(query), {"runbook_id": runbook_id, "rater": rater, **vars(given)})


def has_scenario(connection: Connection, runbook_id: str, scenario_id: str, *, schema: HostSchema) -> bool:
    """Whether the runbook has such a scenario, in a section or among the general ones."""
    query = f"""
        SELECT EXISTS (
            SELECT FROM execution_runbooks r LEFT JOIN runbook_generations g ON g.runbook_id = r.id
            WHERE r.id = CAST(:runbook_id AS {schema.runbook_columns["id"]}) AND (
                jsonb_path_exists(coalesce(r.sections, '[]'), '{IN_SECTIONS}', CAST(:given AS jsonb))
                OR jsonb_path_exists(coalesce(g.details -> 'general', '[]'), '{IN_GENERAL}', CAST(:given AS jsonb))))
    """  # noqa: S608 - as above
    values = {"runbook_id": runbook_id, "given": json.dumps({"id": scenario_id})}
    return bool(connection.execute(text(query), values).scalar_one())


def read_ratings(connection: Connection, workspace_id: str, *, schema: HostSchema) -> Ratings:
    """All that was said of a workspace's runbooks, counted."""
    query = f"""
        SELECT count(*), count(*) FILTER (WHERE t.rating IN ('useful', 'very_useful'))
        FROM runbook_ratings t JOIN execution_runbooks r ON r.id = t.runbook_id
        WHERE r.workspace_id = CAST(:workspace_id AS {schema.id_type})
    """  # noqa: S608 - as above
    count, useful = connection.execute(text(query), {"workspace_id": workspace_id}).one()
    return Ratings(count=count, useful=useful)


def useless_scenarios(connection: Connection, workspace_id: str, *, schema: HostSchema) -> list[UselessScenario]:
    """Scenarios that readers of the workspace found not or only somewhat useful, the worst first."""
    query = f"""
        SELECT t.scenario_id, count(*) FILTER (WHERE t.rating = 'not_useful'),
               count(*) FILTER (WHERE t.rating = 'somewhat_useful'),
               (array_agg(t.comment ORDER BY t.updated_at DESC) FILTER (WHERE t.comment <> ''))[1:{COMMENTS_SHOWN}]
        FROM runbook_ratings t JOIN execution_runbooks r ON r.id = t.runbook_id
        WHERE r.workspace_id = CAST(:workspace_id AS {schema.id_type}) AND t.scenario_id IS NOT NULL
          AND t.rating IN ('not_useful', 'somewhat_useful')
        GROUP BY t.scenario_id ORDER BY 2 DESC, 3 DESC, 1 LIMIT {USELESS_SHOWN}
    """  # noqa: S608 - as above
    rows = connection.execute(text(query), {"workspace_id": workspace_id})
    return [UselessScenario(row[0], row[1], row[2], tuple(row[3] or ())) for row in rows]
