"""Run the revisions on the connection that the caller gives, or write out their SQL (Alembic's offline mode)."""

from alembic import context
from sqlalchemy import Connection

from runbooks.migrations import VERSION_TABLE

LOCK = 7_237_716_202_501
"""Key of the advisory lock: one migration at a time in a database."""

BEFORE = (
    "SET LOCAL statement_timeout = '10min'",
    "SET LOCAL lock_timeout = '5min'",
    f"SELECT pg_advisory_xact_lock({LOCK})",
    # Whoever waits for a table lock holds up everybody behind: give up soon, the migration can be run again.
    "SET LOCAL lock_timeout = '10s'",
)


def _scalar(connection: Connection, query: str) -> str | None:
    value = connection.exec_driver_sql(query).scalar_one()
    return None if value is None else str(value)


def _search_path(connection: Connection) -> str:
    """Where this connection finds and creates tables; whoever runs the SQL may have another search path."""
    path = _scalar(connection, "SELECT string_agg(quote_ident(name), ', ') FROM unnest(current_schemas(false)) AS name")
    return f"SET LOCAL search_path = {path or 'public'}"


def _grants(connection: Connection, tables: list[str]) -> list[str]:
    """Rights for this connection's user, since whoever runs the SQL will own the tables."""
    user = _scalar(connection, "SELECT quote_ident(current_user)")
    grants = [f"GRANT SELECT, INSERT, UPDATE, DELETE ON {', '.join([VERSION_TABLE, *dict.fromkeys(tables)])} TO {user}"]
    serial = "SELECT pg_get_serial_sequence('execution_runbooks', 'id')"
    if "execution_runbooks" in tables and _scalar(connection, "SELECT to_regclass('execution_runbooks')"):
        sequence = _scalar(connection, serial)
        grants += [f"GRANT USAGE ON SEQUENCE {sequence} TO {user}"] if sequence else []
    return grants


def migrate() -> None:
    """Run everything in one transaction: nothing is ever half applied."""
    connection: Connection = context.config.attributes["connection"]
    context.configure(connection=connection, version_table=VERSION_TABLE)
    offline = context.is_offline_mode()
    with context.begin_transaction():
        for statement in (*([_search_path(connection)] if offline else []), *BEFORE):
            context.execute(statement)
        context.run_migrations()
        for statement in _grants(connection, context.config.attributes["tables"]) if offline else []:
            context.execute(statement)


migrate()
