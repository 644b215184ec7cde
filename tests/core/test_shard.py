import uuid
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbooks.core.batch import Candidate
from runbooks.core.shard import Shard, shard_of, split
from runbooks.core.spending import UNLIMITED, Allowance
from runbooks.errors import SettingsError


def candidates(count: int) -> list[Candidate]:
    return [Candidate(str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))), "", "") for number in range(count)]


@given(st.integers(1, 999), st.integers(1, 999))
def test_a_shard_is_read_as_it_is_written(number: int, more: int) -> None:
    shard = Shard(number, number + more - 1)
    assert Shard.parse(f" {shard} ") == shard


@pytest.mark.parametrize("text", ["", "2", "0/4", "5/4", "1/0", "-1/4", "1/2/3", "a/b", "1.5/2", "１/４"])
def test_what_names_no_shard_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="2/4"):
        Shard.parse(text)


@given(st.integers(1, 20), st.integers(0, 200))
def test_every_workflow_is_in_one_shard_and_keeps_its_place_there(of: int, count: int) -> None:
    busiest_first = candidates(count)
    parts = split(busiest_first, of)
    for shard, part in parts.items():
        assert part == [one for one in busiest_first if shard_of(one.workflow_id, of) == shard]
    assert sum(map(len, parts.values())) == count
    assert list(parts) == sorted(parts, key=lambda shard: shard.number)


def test_shards_are_about_the_same_size() -> None:
    sizes = Counter({shard: len(part) for shard, part in split(candidates(10_000), 4).items()})
    assert min(sizes.values()) > 2300
    assert max(sizes.values()) < 2700


def test_shares_of_a_budget_are_never_more_than_it() -> None:
    parts = split(candidates(100), 3)
    whole = Allowance(tokens=1001, cost_usd=2.5)
    shares = [whole.share(len(part) / 100) for part in parts.values()]
    assert 1001 - len(parts) <= sum(share.tokens or 0 for share in shares) <= 1001
    assert sum(share.cost_usd or 0 for share in shares) == pytest.approx(2.5)
    assert UNLIMITED.share(0.1) == UNLIMITED
