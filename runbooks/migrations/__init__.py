"""Alembic's folder: how the database of one version becomes that of the next.

`env.py` is run by Alembic; `versions/` has one revision a file; a revision that needs more than one file keeps its
parts in a package beside, named like the revision. `runbooks.adapters.schema` is the way in: there is no alembic.ini.
"""

VERSION_TABLE = "runbook_schema_version"
"""Not Alembic's default name, so that a host may use Alembic too."""

HEAD = "0001"
"""The newest revision, spelt out so that asking whether a database is current loads no revision file."""
