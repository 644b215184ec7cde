"""What a revision does, said and done step by step."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from alembic import op
from sqlalchemy import Connection


@dataclass(frozen=True)
class Step:
    """A change in words, and the statements that make it."""

    says: str
    statements: tuple[str, ...]
    tables: tuple[str, ...] = ()
    """Tables that runbooks reads and writes from now on: whoever runs the SQL for us has to grant that."""


def take(steps: Iterable[Step]) -> None:
    """Take the steps (or write them out), and tell the caller of the migration in words."""
    config = op.get_context().config
    assert config is not None  # noqa: S101 - runbooks.adapters.schema always gives one
    for step in steps:
        config.attributes["log"].append(step.says)
        config.attributes["tables"].extend(step.tables)
        first, *others = step.statements
        op.execute(f"-- {step.says}\n{first.strip()}")
        for statement in others:
            op.execute(statement)


def database() -> Connection:
    """The database itself, to look at; also there when the SQL is only written out."""
    config = op.get_context().config
    assert config is not None  # noqa: S101 - as above
    connection: Connection = config.attributes["connection"]
    return connection


def tables_dropped(tables: Sequence[str]) -> Step:
    """Drop them in one go, whatever refers to what among them; what others built on them stays, and stops it."""
    names = ", ".join(tables)
    return Step(f"{names}: dropped", (f"DROP TABLE {names}",))
