"""`runbooks diff`: what moved between two versions of a runbook, and why there is a new one."""

import json

from app.history import versions_of
from runbooks.adapters.versions import Version, read_version
from runbooks.bootstrap import open_database
from runbooks.core.regeneration import sentence
from runbooks.core.runbook import Runbook
from runbooks.core.runbook_diff import diff_runbooks, diff_text
from runbooks.errors import RunbookNotFound
from runbooks.settings import load_settings


def run_diff(workflow_id: str, first: int | None, second: int | None, *, as_json: bool) -> int:
    """Print the changes from the earlier to the later version."""
    versions = {version.version: version for version in versions_of(workflow_id)}
    after = _chosen(versions, second if second is not None else max(versions))
    before = _chosen(versions, first) if first is not None else _before(versions, after)
    changes = diff_runbooks(_read(workflow_id, before.version), _read(workflow_id, after.version))
    why = [one.reason for number, one in sorted(versions.items()) if before.version < number <= after.version]
    if as_json:
        document = {
            "workflow_id": workflow_id,
            "from": before.version,
            "to": after.version,
            "reasons": why,
            "changes": [change.model_dump() for change in changes],
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    print(f"Version {before.version} to {after.version}: {'; then '.join(map(sentence, why)) or 'backwards'}.")
    print(diff_text(changes) or "Nothing that it says has changed.")
    return 0


def _chosen(versions: dict[int, Version], number: int) -> Version:
    if number not in versions:
        kept = ", ".join(map(str, sorted(versions)))
        raise RunbookNotFound(f"there is no version {number}; kept are {kept}")
    return versions[number]


def _before(versions: dict[int, Version], after: Version) -> Version:
    earlier = [number for number in versions if number < after.version]
    if not earlier:
        raise RunbookNotFound(f"version {after.version} is the first that is kept; there is nothing to compare it with")
    return versions[max(earlier)]


def _read(workflow_id: str, version: int) -> Runbook:
    database = open_database(load_settings())
    with database.begin() as connection:
        runbook = read_version(connection, workflow_id, version, schema=database.schema)
    if runbook is None:
        raise RunbookNotFound(f"version {version} was replaced just now; try again")
    return runbook
