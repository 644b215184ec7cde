import pytest
from sqlalchemy import URL

from runbooks.adapters.policies import read_policies
from runbooks.adapters.schema import inspect_schema, upgrade
from tests.support.hosts import connected


def test_the_enabled_policy_of_a_workspace_is_read_by_its_id(older_host: URL) -> None:
    upgrade(older_host)
    with connected(older_host) as connection:
        policies = read_policies(connection, ["1", "2", ""], schema=inspect_schema(connection))
    assert list(policies) == ["2"]
    assert policies["2"].refuses("gpt-blocked")
    assert policies["2"].refuses("gpt-other") is None


@pytest.mark.parametrize(
    "change", ["DROP TABLE workspace_policies", "ALTER TABLE workspace_policies DROP redaction_rules"]
)
def test_a_platform_without_policies_or_with_fewer_columns_is_read_as_it_is(older_host: URL, change: str) -> None:
    upgrade(older_host)
    with connected(older_host) as connection:
        connection.exec_driver_sql(change)
        policies = read_policies(connection, ["2"], schema=inspect_schema(connection))
    assert len(policies) == (0 if change.startswith("DROP") else 1)
