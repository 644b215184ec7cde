"""A database's schema and rows as plain values, to compare before with after."""

from typing import Any

from sqlalchemy import URL, text

from tests.support.hosts import connected

COLUMNS = """
    SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity,
           a.attgenerated, a.attcollation::regcollation::text, pg_get_expr(d.adbin, d.adrelid)
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
    ORDER BY c.relname, a.attnum
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, contype, convalidated, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2
"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
TRIGGERS = "SELECT tgrelid::regclass::text, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2"
RIGHTS = """
    SELECT relname, relowner::regrole::text, relacl::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace ORDER BY 1
"""
TABLES = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY 1"


def schema_of(url: URL) -> dict[str, list[tuple[Any, ...]]]:
    """Everything the catalogue says about the tables, indexes and triggers, but who may use them."""
    queries = {"columns": COLUMNS, "constraints": CONSTRAINTS, "indexes": INDEXES, "triggers": TRIGGERS}
    with connected(url) as connection:
        return {name: [tuple(row) for row in connection.exec_driver_sql(query)] for name, query in queries.items()}


def rows_of(url: URL) -> dict[str, list[str]]:
    """All rows of all tables, as text."""
    with connected(url) as connection:
        tables = connection.execute(text(TABLES)).scalars().all()
        return {
            table: list(connection.exec_driver_sql(f'SELECT t::text FROM "{table}" t ORDER BY 1').scalars())
            for table in tables
        }


def everything_of(url: URL) -> dict[str, Any]:
    """Schema, rights and rows."""
    with connected(url) as connection:
        rights = [tuple(row) for row in connection.exec_driver_sql(RIGHTS)]
    return {**schema_of(url), "rights": rights, "rows": rows_of(url)}
