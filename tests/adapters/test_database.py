import socket
import threading
import uuid
from collections.abc import Iterator

import pytest
from sqlalchemy import URL, text

from runbooks.adapters.database import Database, parse_url
from runbooks.adapters.schema import upgrade
from runbooks.errors import (
    DatabaseError,
    DatabaseFull,
    DatabaseUnreachable,
    MissingPrivilege,
    RunbooksError,
    SchemaOutdated,
    SettingsError,
)
from tests.support.hosts import run_sql

PASSWORD = "n0t-a-secret"  # long and odd enough to be found wherever it leaks to
AN_ID = "0192f0c1-2d3e-7a4b-8c5d-6e7f8091a2b3"


@pytest.fixture
def connected(database: URL) -> Iterator[Database]:
    opened = Database(database)
    yield opened
    opened.close()


def execute(database: Database, query: str, **values: object) -> None:
    with database.begin() as connection:
        connection.execute(text(query), values)


def one_line(error: BaseException) -> str:
    assert isinstance(error, RunbooksError)
    message = str(error)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


# Addresses


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
def test_usual_spellings_of_an_address_are_read(scheme: str) -> None:
    url = parse_url(f"{scheme}://ada:{PASSWORD}@db.example.com:6432/linkflow?sslmode=require")
    assert url.drivername == "postgresql+psycopg"
    assert (url.username, url.password, url.host, url.port, url.database) == (
        *("ada", PASSWORD, "db.example.com", 6432, "linkflow"),
    )
    assert url.query == {"sslmode": "require"}


def test_address_of_a_running_server_works_in_every_spelling(database: URL) -> None:
    for scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        opened = Database(database.set(drivername=scheme).render_as_string(hide_password=False))
        execute(opened, "SELECT 1")
        opened.close()


def test_password_may_hold_any_character_when_encoded() -> None:
    assert parse_url("postgresql://ada:p%40ss%2Fw%3Ard%3F@h/x").password == "p@ss/w:rd?"
    assert parse_url("postgresql://ada:p%40ss/w:rd?@h/x").password == "p@ss/w:rd?"


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("", "not an address"),
        (f"host=h dbname=x password={PASSWORD}", "not an address"),
        (f"postgresql://ada:{PASSWORD}@h:port/x", "not an address"),
        (f"mysql://ada:{PASSWORD}@h/x", "names mysql; only PostgreSQL"),
        ("sqlite:///x.db", "names sqlite; only PostgreSQL"),
        (f"postgresql://ada:{PASSWORD}@{PASSWORD}@h/x", "write %40"),
    ],
)
def test_address_that_is_none_is_refused_without_being_shown(address: str, complaint: str) -> None:
    with pytest.raises(SettingsError, match=complaint) as caught:
        parse_url(address)
    assert one_line(caught.value).startswith("RUNBOOKS_DATABASE_URL")


def test_making_a_database_touches_nothing() -> None:
    database = Database(f"postgresql://ada:{PASSWORD}@127.0.0.1:1/x")
    assert PASSWORD not in repr(database)
    database.close()


# Errors


def refused(database: Database, kind: type[DatabaseError], query: str = "SELECT 1", **values: object) -> str:
    with pytest.raises(DatabaseError) as caught:
        execute(database, query, **values)
    assert type(caught.value) is kind
    return one_line(caught.value)


def test_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # nobody listens
        database = Database(f"postgresql://ada:{PASSWORD}@127.0.0.1:{reserved.getsockname()[1]}/x")
        message = refused(database, DatabaseUnreachable)
    assert "127.0.0.1" in message
    assert "check RUNBOOKS_DATABASE_URL" in message


def test_host_that_does_not_exist_is_unreachable() -> None:
    assert "no-such-host.invalid" in refused(
        Database(f"postgresql://ada:{PASSWORD}@no-such-host.invalid/x"), DatabaseUnreachable
    )


def test_wrong_password_is_named_but_not_shown(database: URL) -> None:
    message = refused(Database(database.set(password=PASSWORD)), DatabaseUnreachable)
    assert "password authentication failed" in message


def test_database_that_does_not_exist_is_named(database: URL) -> None:
    assert '"missing" does not exist' in refused(Database(database.set(database="missing")), DatabaseUnreachable)


def test_option_that_the_driver_does_not_know_is_named(database: URL) -> None:
    strange = Database(database.update_query_dict({"colour": "blue"}))
    assert "colour" in refused(strange, DatabaseError)


def test_table_or_column_that_is_missing_asks_for_the_migration(connected: Database) -> None:
    for query in ("SELECT * FROM runbook_nothing", "SELECT nothing FROM workflows"):
        assert "run `runbooks migrate`" in refused(connected, SchemaOutdated, query)


def test_missing_right_is_named(connected: Database) -> None:
    role = f"guest_{uuid.uuid4().hex}"
    query = f"CREATE ROLE {role}; SET LOCAL ROLE {role}; SELECT * FROM workflows"
    assert "permission denied for table workflows" in refused(connected, MissingPrivilege, query)


def test_row_that_breaks_a_rule_is_not_shown(connected: Database) -> None:
    execute(connected, "INSERT INTO users (name, email) VALUES ('Ada', :email)", email=PASSWORD)
    message = refused(connected, DatabaseError, "INSERT INTO users (name, email) VALUES ('A', :e)", e=PASSWORD)
    assert message.startswith("the database answered 23505: duplicate key")


def test_disk_that_is_full_is_named_with_what_to_do(connected: Database) -> None:
    query = """
        DO $$ BEGIN RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device'
            USING ERRCODE = 'disk_full', HINT = 'Check free disk space.'; END $$
    """
    message = refused(connected, DatabaseFull, query)
    assert message == (
        'the disk of the database is full: could not extend file "base/1/2": No space left on device; '
        "free some space there"
    )


def test_text_that_postgresql_cannot_hold_is_named(connected: Database) -> None:
    assert "NUL" in refused(connected, DatabaseError, "SELECT CAST(:value AS text)", value="a\0b")


def test_connection_that_the_server_ended_is_unreachable_once_and_then_made_anew(connected: Database) -> None:
    refused(connected, DatabaseUnreachable, "SELECT pg_terminate_backend(pg_backend_pid())")
    execute(connected, "SELECT 1")


def test_connections_that_ended_while_idle_are_not_noticed(connected: Database, postgres_server: URL) -> None:
    execute(connected, "SELECT 1")
    others = f"FROM pg_stat_activity WHERE datname = '{connected.url.database}' AND pid <> pg_backend_pid()"
    run_sql(postgres_server, f"SELECT pg_terminate_backend(pid, 5000) {others}")
    execute(connected, "SELECT 1")


OLD_SERVER = """
    CREATE OR REPLACE FUNCTION pg_catalog.version() RETURNS text LANGUAGE sql
    AS $$ SELECT 'PostgreSQL 13.22 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit' $$
"""


def test_server_that_is_too_old_is_named_before_its_syntax_errors_are(empty_database: URL) -> None:
    run_sql(empty_database, OLD_SERVER)
    database = Database(empty_database)
    for use in (lambda: database.schema, lambda: execute(database, "SELECT 1"), lambda: upgrade(empty_database)):
        with pytest.raises(DatabaseError, match=r"PostgreSQL 13\.22, and 14 or newer is needed; upgrade it") as caught:
            use()
        assert "RUNBOOKS_DATABASE_URL" in one_line(caught.value)
    database.close()


def test_error_rolls_back_and_success_commits(connected: Database) -> None:
    execute(connected, "INSERT INTO users (name, email) VALUES ('Ada', 'ada@example.com')")
    with pytest.raises(DatabaseError, match="division by zero"):
        execute(connected, "DELETE FROM users; SELECT 1 / 0")
    with connected.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM users")).scalar_one() == 1


def test_pool_that_is_exhausted_says_so(connected: Database) -> None:
    pool = connected.engine.pool
    pool._timeout = 0.1  # type: ignore[attr-defined]  # instead of half a minute
    held = [connected.engine.connect() for _ in range(15)]
    try:
        assert "in use" in refused(connected, DatabaseUnreachable)
    finally:
        for connection in held:
            connection.close()
    execute(connected, "SELECT 1")


def test_threads_share_the_pool(connected: Database) -> None:
    seen: list[int] = []

    def count() -> None:
        with connected.begin() as connection:
            seen.append(connection.execute(text("SELECT 1")).scalar_one())

    threads = [threading.Thread(target=count) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [1] * 20


# Schema and ids


def test_schema_of_a_database_that_is_not_migrated_asks_for_the_migration(empty_database: URL) -> None:
    database = Database(empty_database)
    with pytest.raises(SchemaOutdated, match="run `runbooks migrate`") as caught:
        _ = database.schema
    one_line(caught.value)
    upgrade(empty_database)
    assert database.schema.standalone, "the refusal was remembered"
    database.close()


@pytest.mark.parametrize(
    ("fixture", "good", "bad"),
    [
        ("database", [AN_ID, AN_ID.upper()],
         ["42", "", f"{{{AN_ID}}}", f"urn:uuid:{AN_ID}", AN_ID.replace("-", ""), f"{AN_ID}\n"]),
        ("newer_host", [AN_ID], ["42", "null"]),
        ("older_host", ["0", "42", str(2**63 - 1)],
         [AN_ID, str(2**63), "-1", "+1", "007", " 42", "42\n", "4.2", "٤٢", "9" * 5000, "", "1 OR 1=1"]),
    ],
)  # fmt: skip
def test_ids_that_can_name_nothing_are_left_out(
    fixture: str, good: list[str], bad: list[str], request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(fixture)
    upgrade(url)
    database = Database(url)
    assert database.valid_ids([*bad, *good]) == good
    id_type = database.schema.id_type
    for value in good:  # PostgreSQL agrees
        execute(database, f"SELECT id FROM workflows WHERE id = CAST(:value AS {id_type})", value=value)
    database.close()
