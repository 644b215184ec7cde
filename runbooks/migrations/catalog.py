"""What PostgreSQL's own catalogue says about a table, found the way an unqualified name finds it."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Column:
    """One column of a table or view."""

    sql_type: str
    required: bool
    """NOT NULL."""
    has_default: bool
    """A default or an identity fills it when a row leaves it out."""


def read_columns(connection: Connection, table: str) -> Mapping[str, Column]:
    """The columns that can be written, by name; none when there is no such table."""
    rows = connection.execute(
        text("""
            SELECT attname, format_type(atttypid, atttypmod), attnotnull, atthasdef OR attidentity <> ''
            FROM pg_attribute
            WHERE attrelid = to_regclass(:name) AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
            ORDER BY attnum
        """),
        {"name": table},
    )
    return {row[0]: Column(sql_type=row[1], required=row[2], has_default=row[3]) for row in rows}


def existing(connection: Connection, tables: Collection[str]) -> list[str]:
    """Those of `tables` that exist, names as an unqualified query resolves them."""
    query = "SELECT name FROM unnest(CAST(:names AS text[])) AS name WHERE to_regclass(name) IS NOT NULL"
    return list(connection.execute(text(query), {"names": list(tables)}).scalars())


def schemas_with(connection: Connection, table: str) -> list[str]:
    """The schemas that have such a table, in the search path or not."""
    query = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = :name AND relkind IN ('r', 'p')"
    return list(connection.execute(text(query), {"name": table}).scalars())


def is_table(connection: Connection, name: str) -> bool:
    """Whether it is a table; a view cannot be changed or referred to."""
    query = "SELECT EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(:name) AND relkind IN ('r', 'p'))"
    return bool(connection.execute(text(query), {"name": name}).scalar_one())


def has_key(connection: Connection, table: str, column: str) -> bool:
    """Whether the column alone is a key of the table, so that a foreign key can refer to it."""
    query = """
        SELECT EXISTS (
            SELECT FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
            WHERE k.conrelid = to_regclass(:name) AND a.attname = :column AND k.contype IN ('p', 'u')
              AND NOT k.condeferrable)
    """
    return bool(connection.execute(text(query), {"name": table, "column": column}).scalar_one())


def not_null_name(connection: Connection, table: str, column: str) -> str | None:
    """The name of the column's NOT NULL constraint, quoted; it has one from PostgreSQL 18 on."""
    query = """
        SELECT quote_ident(k.conname)
        FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND k.conkey = ARRAY[a.attnum]
        WHERE k.conrelid = to_regclass(:name) AND a.attname = :column AND k.contype = 'n'
    """
    found = connection.execute(text(query), {"name": table, "column": column}).scalar_one_or_none()
    return None if found is None else str(found)
