"""One limit for the calls to a language model of all processes: a concurrency limit of the Prefect server.

Asking the server for every call would cost more than the call. A process takes slots for as long as it writes, several
at once, and its own semaphore does the rest. What it takes is leased: the slots of a process that was killed come back.
"""

import asyncio
import contextvars
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache

from prefect.settings import get_current_settings

from runbooks.adapters.interruption import run_interruptible
from runbooks.adapters.llm import LLM
from runbooks.bootstrap import open_llm
from runbooks.settings import Settings
from tasks.slot_server import LIMIT, Lease, LimitMissing, ServerAway, SlotServer
from tasks.telling import tell

TICK_S = 15.0
"""So often leases are renewed, and slots taken that others have given back."""
RETRY_S = 2.0
WORD_S = 60.0
PATIENCE_S = 300.0
"""So long a run waits for a first slot; then the catalogue writes, and the next sweep asks the model."""


class SharedSlots:
    """The slots that this process holds, for all that is written in it at the same time."""

    def __init__(self, llm: LLM, server: SlotServer, *, tick_s: float = TICK_S, patience_s: float = PATIENCE_S) -> None:
        self._llm = llm
        self._server = server
        self._tick_s = tick_s
        self._patience_s = patience_s
        self._lock = threading.Lock()
        self._wanted: list[int] = []
        self._leases: list[Lease] = []
        self._alone = False
        self._idle = threading.Event()

    @contextmanager
    def hold(self, wanted: int) -> Iterator[str | None]:
        """Hold slots meanwhile, as many as are wanted and free; gives why no call may be sent, when not one is free."""
        with self._lock:
            if not self._wanted:
                self._begin()
            self._wanted.append(wanted)
        try:
            yield run_interruptible(self._first(), timeout_s=2 * (self._patience_s + WORD_S))
        finally:
            with self._lock:
                self._wanted.remove(wanted)
                if not self._wanted:
                    self._end()

    def _begin(self) -> None:
        self._alone, self._idle = False, threading.Event()
        context = contextvars.copy_context()  # it says which server Prefect talks to
        threading.Thread(target=context.run, args=(self._keep, self._idle), name="llm-slots", daemon=True).start()

    def _end(self) -> None:
        self._idle.set()
        for lease in self._leases:
            self._server.give_back(lease)
        self._leases = []
        self._llm.take_all()

    async def _first(self) -> str | None:
        """Wait until calls may be sent, but not for ever."""
        began, told = time.monotonic(), -WORD_S
        while not await asyncio.to_thread(self._grow):
            waited = time.monotonic() - began
            if waited > self._patience_s:
                return f"all slots of Prefect's limit {LIMIT} are taken"
            if waited - told >= WORD_S:
                tell(f"all slots of Prefect's limit {LIMIT} are taken; waiting for one")
                told = waited
            await asyncio.sleep(RETRY_S)
        return None

    def _keep(self, idle: threading.Event) -> None:
        while not idle.wait(self._tick_s):
            with self._lock:
                if not idle.is_set():
                    self._renew()
            self._grow()

    def _renew(self) -> None:
        with suppress(ServerAway):  # it lets nobody else have them either: what is held goes on
            kept = [lease for lease in self._leases if self._server.renew(lease)]
            if len(kept) < len(self._leases):
                limit = self._leases[0].limit
                self._leases = kept
                self._llm.take_share(max(1, self._held), of=limit)

    def _grow(self) -> bool:
        """Take what is wanted and free; True when calls may be sent."""
        with self._lock:
            missing = min(sum(self._wanted), self._llm.concurrency) - self._held
            if missing <= 0:
                return True
            try:
                lease = self._server.take(missing, held=self._held)
            except (LimitMissing, ServerAway) as problem:
                self._go_alone(problem)
                return True
            if lease is not None:
                self._add(lease, missing)
            return self._held > 0 or self._alone

    def _add(self, lease: Lease, missing: int) -> None:
        self._leases.append(lease)
        self._alone = False
        self._llm.take_share(self._held, of=lease.limit)
        less = "" if lease.slots == missing else f", {missing - lease.slots} fewer than wanted: others hold the rest"
        tell(f"holding {self._held} of {lease.limit} slots of Prefect's limit {LIMIT}{less}", level=logging.INFO)

    def _go_alone(self, problem: Exception) -> None:
        if not self._leases and not self._alone:
            self._alone = True
            tell(f"{problem}; going on with RUNBOOKS_LLM_CONCURRENCY={self._llm.concurrency}, shared with nobody")

    @property
    def _held(self) -> int:
        return sum(lease.slots for lease in self._leases)


@contextmanager
def shared_slots(settings: Settings, wanted: int) -> Iterator[str | None]:
    """Hold slots for so many workflows when a limit is set and a server may know it; gives why no call may be sent."""
    api = get_current_settings().api.url
    if settings.llm_shared_concurrency is None or not api or not wanted:
        yield None
        return
    with _slots(settings, api).hold(wanted) as refusal:
        yield refusal


@cache
def _slots(settings: Settings, api: str) -> SharedSlots:  # noqa: ARG001 - part of the cache's key
    return SharedSlots(open_llm(settings), SlotServer())
