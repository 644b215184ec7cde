import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError

from runbooks import migrations
from runbooks.adapters.schema import (
    HostSchema,
    downgrade,
    inspect_schema,
    is_current,
    proactive_rows,
    upgrade,
    upgrade_sql,
)
from runbooks.errors import DatabaseError, DatabaseUnreachable, MissingPrivilege, SchemaOutdated
from tests.support.hosts import connected, insert_workflow, run_sql
from tests.support.snapshot import everything_of, rows_of, schema_of

HOSTS = ["older_host", "newer_host"]
ADDED = {"type", "ai_generated", "sections"}
OWN_TABLES = {
    "runbook_pending_events",
    "runbook_request_keys",
    "runbook_requests",
    "runbook_tokens",
    "runbook_webhook_receipts",
    "runbook_generations",
    "runbook_batches",
    "runbook_drafts",
    "runbook_incidents",
    "runbook_versions",
    "runbook_node_history",
    "runbook_failure_groups",
    "runbook_connector_history",
    "runbook_ratings",
    "runbook_coverage_snapshots",
    "runbook_host_changes",
    "runbook_schema_version",
}


@pytest.fixture(params=["empty_database", *HOSTS])
def any_database(request: pytest.FixtureRequest) -> URL:
    return request.getfixturevalue(request.param)


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest) -> URL:
    return request.getfixturevalue(request.param)


@pytest.fixture
def guest(host: URL) -> Iterator[URL]:
    """The host again, for a user who may read and write there but not create."""
    name = f"guest_{uuid.uuid4().hex}"
    run_sql(
        host,
        f"""
        CREATE ROLE {name} LOGIN PASSWORD 'notasecret';
        REVOKE CREATE ON SCHEMA public FROM PUBLIC;
        GRANT USAGE ON SCHEMA public TO {name};
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name};
        """,
    )
    yield host.set(username=name, password="notasecret")
    run_sql(host, f"DROP OWNED BY {name}; DROP ROLE {name}")


def schema(url: URL) -> HostSchema:
    with connected(url) as connection:
        return inspect_schema(connection)


def current(url: URL) -> bool:
    with connected(url) as connection:
        return is_current(connection)


def add_proactive(url: URL, workflow_id: str, *, title: str = "Runbook") -> None:
    """Store a proactive row as the store does, with what is remembered of it."""
    with connected(url) as connection:
        made = "" if inspect_schema(connection).runbook_id_default else "id, "
        query = f"""
            WITH stored AS (
                INSERT INTO execution_runbooks ({made} workspace_id, workflow_id, type, severity, title, summary, steps,
                                                status)
                SELECT {made and "gen_random_uuid(), "} workspace_id, id, 'proactive', 'high', :title, '', '[]',
                       'resolved'
                FROM workflows WHERE id::text = :workflow_id RETURNING id, workflow_id
            )
            INSERT INTO runbook_generations (workflow_id, runbook_id, fingerprint, definition_hash, source_digest,
                                             writer, writer_signature, generated_at)
            SELECT workflow_id, id, 'f', 'd', 's', 'catalogue', 'w', now() FROM stored
        """
        assert connection.execute(text(query), {"workflow_id": workflow_id, "title": title}).rowcount == 1


def scalar(url: URL, query: str) -> object:
    with connected(url) as connection:
        return connection.exec_driver_sql(query).scalar_one()


def test_upgrade_and_downgrade_leave_the_database_as_it_was(any_database: URL) -> None:
    run_sql(
        any_database, "CREATE TABLE customers (id int PRIMARY KEY, name text); INSERT INTO customers VALUES (1, 'Ada')"
    )
    before = everything_of(any_database)
    assert upgrade(any_database)
    assert everything_of(any_database) != before
    assert downgrade(any_database)
    assert everything_of(any_database) == before


def test_second_upgrade_does_nothing(any_database: URL) -> None:
    upgrade(any_database)
    before = everything_of(any_database)
    assert upgrade(any_database) == []
    assert everything_of(any_database) == before


def test_second_downgrade_does_nothing(any_database: URL) -> None:
    upgrade(any_database)
    downgrade(any_database)
    before = everything_of(any_database)
    assert downgrade(any_database) == []
    assert everything_of(any_database) == before


def test_can_be_upgraded_again_after_a_downgrade(any_database: URL) -> None:
    upgrade(any_database)
    before = schema_of(any_database)
    downgrade(any_database)
    upgrade(any_database)
    assert schema_of(any_database) == before
    assert current(any_database)


def test_is_current_only_while_upgraded(any_database: URL) -> None:
    assert not current(any_database)
    upgrade(any_database)
    assert current(any_database)
    downgrade(any_database)
    assert not current(any_database)


def test_address_may_be_text(empty_database: URL) -> None:
    assert upgrade(empty_database.set(drivername="postgresql").render_as_string(hide_password=False))
    assert current(empty_database)


def test_standalone_has_the_platforms_tables_with_uuid_ids(empty_database: URL, older_host: URL) -> None:
    upgrade(empty_database)
    found = schema(empty_database)
    assert (found.id_type, found.standalone, found.runbook_id_default) == ("uuid", True, True)
    assert "content" in found.runbook_columns
    platform = set(rows_of(older_host)) - {"migrations"}
    assert set(rows_of(empty_database)) == platform | OWN_TABLES
    ours, theirs = ({(row[0], row[2]) for row in schema_of(url)["columns"]} for url in (empty_database, older_host))
    unlike = {pair for pair in theirs - ours if pair[0] in platform}
    assert unlike == {("users", "first_name"), ("users", "last_name")}


def test_older_host_gets_what_it_lacks_in_its_own_id_type(older_host: URL) -> None:
    before = schema(older_host).runbook_columns
    upgrade(older_host)
    after = schema(older_host)
    assert (after.id_type, after.standalone, after.runbook_id_default) == ("bigint", False, True)
    assert set(after.runbook_columns) - set(before) == ADDED
    assert after.runbook_columns["steps"] == "json"
    types = {row[2]: row[3] for row in schema_of(older_host)["columns"] if row[0] == "runbook_generations"}
    assert (types["workflow_id"], types["runbook_id"]) == ("bigint", "bigint")


def test_newer_host_also_gets_the_link_to_the_workflow(newer_host: URL) -> None:
    before = schema(newer_host).runbook_columns
    upgrade(newer_host)
    after = schema(newer_host)
    assert (after.id_type, after.standalone, after.runbook_id_default) == ("uuid", False, False)
    assert set(after.runbook_columns) - set(before) == {"workflow_id", *ADDED}
    assert after.runbook_columns["workflow_id"] == "uuid"


def test_existing_rows_become_reactive_and_keep_everything_else(host: URL) -> None:
    columns = "to_jsonb(r) - '{workflow_id,type,ai_generated,sections}'::text[]"
    query = f"SELECT array_agg({columns} ORDER BY id) FROM execution_runbooks r"
    before = scalar(host, query)
    assert before
    upgrade(host)
    assert scalar(host, query) == before
    assert (
        scalar(host, "SELECT DISTINCT (type, ai_generated, sections)::text FROM execution_runbooks") == "(reactive,f,)"
    )


def test_existing_rows_are_linked_to_their_executions_workflow(host: URL) -> None:
    upgrade(host)
    join = "execution_runbooks r JOIN executions e ON e.id = r.execution_id AND e.workflow_id = r.workflow_id"
    assert scalar(host, f"SELECT count(*) FROM {join}") == scalar(host, "SELECT count(*) FROM execution_runbooks")


def test_workflow_has_at_most_one_proactive_runbook(host: URL) -> None:
    workflow_id = insert_workflow(host, nodes=[])
    upgrade(host)
    add_proactive(host, workflow_id)
    with pytest.raises(IntegrityError, match="execution_runbooks_proactive_unique"):
        add_proactive(host, workflow_id)


def test_deleting_a_workflow_deletes_its_runbook_and_what_is_remembered_of_it(host: URL) -> None:
    workflow_id = insert_workflow(host, nodes=[{"id": "1", "type": "slack"}])
    upgrade(host)
    add_proactive(host, workflow_id)
    run_sql(host, f"DELETE FROM workflows WHERE id::text = '{workflow_id}'")
    assert proactive_rows(host) == 0
    assert scalar(host, "SELECT count(*) FROM runbook_generations") == 0


def test_downgrade_deletes_proactive_rows_and_says_how_many(host: URL) -> None:
    workflows = [insert_workflow(host, nodes=[]) for _ in range(2)]
    before = everything_of(host)
    assert proactive_rows(host) == 0
    upgrade(host)
    for workflow_id in workflows:
        add_proactive(host, workflow_id)
    assert proactive_rows(host) == 2
    assert any("2 proactive runbooks deleted" in line for line in downgrade(host))
    assert everything_of(host) == before


def test_downgrade_leaves_columns_that_the_host_had_before(host: URL) -> None:
    run_sql(host, "ALTER TABLE execution_runbooks ADD COLUMN sections jsonb, ADD COLUMN type text DEFAULT 'reactive'")
    before = everything_of(host)
    upgrade(host)
    add_proactive(host, insert_workflow(host, nodes=[], name="Later"))
    downgrade(host)
    run_sql(host, "DELETE FROM workflows WHERE name = 'Later'")
    assert everything_of(host) == before


def test_downgrade_gives_a_named_constraint_its_name_back(older_host: URL) -> None:
    if int(str(scalar(older_host, "SHOW server_version_num"))) >= 180000:  # older ones give it no name
        rename = 'RENAME CONSTRAINT execution_runbooks_execution_id_not_null TO "It\'s required"'
        run_sql(older_host, f"ALTER TABLE execution_runbooks {rename}")
    before = everything_of(older_host)
    upgrade(older_host)
    downgrade(older_host)
    assert everything_of(older_host) == before


def test_downgrade_that_cannot_finish_changes_nothing(any_database: URL) -> None:
    upgrade(any_database)
    run_sql(any_database, "CREATE VIEW useful AS SELECT runbook_id FROM runbook_ratings WHERE rating = 'useful'")
    before = everything_of(any_database)
    with pytest.raises(DatabaseError, match=r"nothing was changed.*view useful depends on table runbook_ratings"):
        downgrade(any_database)
    assert everything_of(any_database) == before


def test_sql_for_the_administrator_does_what_upgrade_does(any_database: URL) -> None:
    before = everything_of(any_database)
    sql = upgrade_sql(any_database)
    assert everything_of(any_database) == before
    run_sql(any_database, sql)
    by_hand, rows = schema_of(any_database), rows_of(any_database)
    assert current(any_database)
    assert upgrade(any_database) == []
    downgrade(any_database)
    upgrade(any_database)
    assert schema_of(any_database) == by_hand
    assert rows_of(any_database) == rows


def test_sql_of_a_current_database_does_nothing(any_database: URL) -> None:
    upgrade(any_database)
    before = everything_of(any_database)
    sql = upgrade_sql(any_database)
    assert all(line.startswith("--") for line in sql.splitlines())
    run_sql(any_database, sql)
    assert everything_of(any_database) == before


def test_user_who_may_not_create_is_told_what_to_do(guest: URL, host: URL) -> None:
    before = everything_of(host)
    with pytest.raises(MissingPrivilege, match="`runbooks migrate --sql`") as caught:
        upgrade(guest)
    assert "\n" not in str(caught.value)
    assert everything_of(host) == before


def test_user_can_work_once_the_administrator_ran_the_sql(guest: URL, host: URL) -> None:
    workflow_id = insert_workflow(host, nodes=[])
    run_sql(host, upgrade_sql(guest))
    assert upgrade(guest) == []
    add_proactive(guest, workflow_id)
    assert proactive_rows(guest) == 1
    run_sql(
        guest,
        "UPDATE runbook_generations SET fingerprint = 'g'; DELETE FROM execution_runbooks WHERE type = 'proactive'",
    )
    with pytest.raises(MissingPrivilege, match="owner of the tables"):
        downgrade(guest)


def test_upgrades_at_the_same_time_both_succeed(any_database: URL) -> None:
    program = "import sys; from runbooks.adapters.schema import upgrade; print(len(upgrade(sys.argv[1])))"
    address = any_database.render_as_string(hide_password=False)
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    sql = upgrade_sql(any_database)
    lock = next(line for line in sql.splitlines() if "pg_advisory_xact_lock" in line)
    with connected(any_database) as connection:
        connection.exec_driver_sql(lock)
        started = [
            subprocess.Popen([sys.executable, "-c", program, address], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for _ in range(2)
        ]
        deadline = time.monotonic() + 30
        while (
            scalar(
                any_database,
                f"{waiting} AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            )
            != 2
        ):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    answers = [process.communicate(timeout=30) for process in started]
    assert [process.returncode for process in started] == [0, 0], answers
    steps = sorted(int(out) for out, _ in answers)
    assert steps[0] == 0
    assert steps[1] > 0
    assert current(any_database)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("ALTER TABLE workflows RENAME COLUMN id TO key", "workflows has no column id"),
        ("DROP TABLE execution_runbooks", "execution_runbooks is missing"),
        ("ALTER TABLE execution_runbooks RENAME TO r; CREATE VIEW execution_runbooks AS SELECT * FROM r", "is a view"),
        ("ALTER TABLE workflows RENAME TO w; ALTER TABLE execution_runbooks RENAME TO r", "another application"),
        ("CREATE SCHEMA aside; ALTER TABLE workflows SET SCHEMA aside; ALTER TABLE execution_runbooks SET SCHEMA aside",
         "in schema aside, which is not in the search path"),
    ],
)  # fmt: skip
def test_database_that_does_not_fit_is_refused_in_one_line(host: URL, change: str, complaint: str) -> None:
    run_sql(host, change)
    before = everything_of(host)
    for attempt in (upgrade, upgrade_sql):
        with pytest.raises(DatabaseError, match=complaint) as caught:
            attempt(host)
        assert "\n" not in str(caught.value)
    assert everything_of(host) == before


def test_host_whose_workflows_are_a_view_is_served_without_foreign_key(newer_host: URL) -> None:
    run_sql(newer_host, "ALTER TABLE workflows RENAME TO flows; CREATE VIEW workflows AS SELECT * FROM flows")
    before = everything_of(newer_host)
    upgrade(newer_host)
    assert schema(newer_host).id_type == "uuid"
    downgrade(newer_host)
    assert everything_of(newer_host) == before


def test_host_in_another_schema_is_found_by_the_search_path(newer_host: URL) -> None:
    run_sql(newer_host, "ALTER SCHEMA public RENAME TO linkflow")
    aside = newer_host.update_query_dict({"options": "-csearch_path=linkflow"})
    sql = upgrade_sql(aside)
    run_sql(newer_host, sql)
    assert current(aside)
    assert schema(aside).standalone is False
    assert downgrade(aside)


def test_database_of_a_newer_version_is_left_alone(empty_database: URL) -> None:
    upgrade(empty_database)
    run_sql(empty_database, "UPDATE runbook_schema_version SET version_num = '9999'")
    assert not current(empty_database)
    for attempt in (upgrade, upgrade_sql, downgrade):
        with pytest.raises(DatabaseError, match="newer version of runbooks"):
            attempt(empty_database)


def test_server_that_is_not_there_is_named_in_one_line() -> None:
    nowhere = URL.create("postgresql+psycopg", "ada", "notasecret", "127.0.0.1", 1, "nothing")
    for attempt in (upgrade, upgrade_sql, downgrade, proactive_rows):
        with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1") as caught:
            attempt(nowhere)
        assert "\n" not in str(caught.value)
        assert "notasecret" not in str(caught.value)


def test_schema_of_an_empty_database_asks_for_the_migration(empty_database: URL) -> None:
    with pytest.raises(SchemaOutdated, match="`runbooks migrate`"):
        schema(empty_database)


def test_head_is_the_newest_revision() -> None:
    folder = Path(migrations.__file__).parent
    assert ScriptDirectory(str(folder)).get_heads() == [migrations.HEAD]
