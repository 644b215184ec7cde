"""The concurrency limit on the Prefect server: how full it is, and leases of its slots."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.exceptions import ObjectNotFound
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

LIMIT = "runbooks-llm"
LEASE_S = 60.0
"""The shortest that Prefect knows: so long the slots of a killed process are missing."""
TIMEOUT_S = 5.0
RESERVED = 8
"""Of the slots, one in so many (and at least one) is left to a process that holds none."""
LOCKED, GONE = 423, (404, 410)


class ServerAway(Exception):
    """The Prefect server does not answer, or not as it should."""


class LimitMissing(Exception):
    """The Prefect server has no such limit, or somebody switched it off."""


@dataclass(frozen=True)
class Usage:
    """How much of the limit is in use."""

    limit: int
    taken: int


@dataclass(frozen=True)
class Lease:
    """Slots that are ours for a while."""

    id: UUID
    slots: int
    limit: int


class SlotServer:
    """Every call asks the server anew, and does not insist: who asks goes on without it."""

    def usage(self) -> Usage:
        """How many slots there are, and how many are taken."""
        with _client() as client:
            return _usage(client)

    def take(self, wanted: int, *, held: int) -> Lease | None:
        """Lease what is free, at most so many; None when nothing is. `held` are ours already."""
        with _client() as client:
            usage = _usage(client)
            free = usage.limit - usage.taken
            beyond_reserve = free - max(1, usage.limit // RESERVED)
            slots = min(wanted, beyond_reserve if held else max(beyond_reserve, min(free, 1)))
            return _lease(client, slots, usage.limit) if slots > 0 else None

    def renew(self, lease: Lease) -> bool:
        """Hold it longer; False when the server does not know it any more."""
        with _client() as client:
            try:
                client.renew_concurrency_lease(lease.id, LEASE_S)
            except httpx.HTTPStatusError as error:
                if error.response.status_code in GONE:
                    return False
                raise
            return True

    def give_back(self, lease: Lease) -> None:
        """Let others have it; when the server is away it comes back by itself."""
        try:
            with _client() as client:
                client.release_concurrency_slots_with_lease(lease.id)
        except ServerAway:
            return


@contextmanager
def _client() -> Iterator["SyncPrefectClient"]:
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": TIMEOUT_S}) as client,
        ):
            yield client
    except (httpx.HTTPError, OSError) as error:
        raise ServerAway(f"the Prefect server does not answer ({type(error).__name__})") from error


def _usage(client: "SyncPrefectClient") -> Usage:
    try:
        found = client.read_global_concurrency_limit_by_name(LIMIT)
    except ObjectNotFound as error:
        raise LimitMissing(f"the Prefect server has no limit {LIMIT}: run `runbooks deploy`") from error
    if not found.active:
        raise LimitMissing(f"the limit {LIMIT} is switched off on the Prefect server")
    return Usage(found.limit, found.active_slots)


def _lease(client: "SyncPrefectClient", slots: int, limit: int) -> Lease | None:
    try:
        answer = client.increment_concurrency_slots_with_lease([LIMIT], slots, "concurrency", LEASE_S)
    except httpx.HTTPStatusError as error:
        if error.response.status_code == LOCKED:
            return None  # another process was faster
        raise
    return Lease(UUID(answer.json()["lease_id"]), slots, limit)
