import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from runbooks.adapters.slots import Slots


class Crowd:
    """Counts who is inside."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.lock = threading.Lock()
        self.inside = 0
        self.most = 0
        self.visits = 0

    async def visit(self, seconds: float = 0.002) -> None:
        async with self.slots:
            with self.lock:
                self.inside += 1
                self.visits += 1
                self.most = max(self.most, self.inside)
            await asyncio.sleep(seconds)
            with self.lock:
                self.inside -= 1


def test_loops_in_several_threads_keep_to_one_limit() -> None:
    crowd = Crowd(Slots(5))

    def loop() -> None:
        async def run() -> None:
            await asyncio.gather(*(crowd.visit() for _ in range(100)))

        asyncio.run(run())

    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(loop) for _ in range(4)]:
            done.result(timeout=30)
    assert crowd.visits == 400
    assert crowd.most == 5


def test_a_turn_that_comes_together_with_a_cancellation_is_passed_on() -> None:
    slots = Slots(1)

    async def run() -> None:
        async with slots:
            waiting = asyncio.create_task(Crowd(slots).visit())
            await asyncio.sleep(0)
        waiting.cancel()  # its turn is on the way
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.wait_for(Crowd(slots).visit(), timeout=5)

    asyncio.run(run())


def test_an_error_inside_gives_the_slot_back() -> None:
    slots = Slots(1)

    async def fail() -> None:
        async with slots:
            raise LookupError

    async def run() -> float:
        started = time.monotonic()
        with pytest.raises(LookupError):
            await fail()
        await asyncio.wait_for(Crowd(slots).visit(), timeout=5)
        return time.monotonic() - started

    assert asyncio.run(run()) < 1


class Guests:
    """Stay inside until they are asked to leave."""

    def __init__(self, slots: Slots, count: int) -> None:
        self.slots = slots
        self.inside: list[asyncio.Event] = []
        self.tasks = [asyncio.create_task(self._stay()) for _ in range(count)]

    async def _stay(self) -> None:
        async with self.slots:
            leave = asyncio.Event()
            self.inside.append(leave)
            await leave.wait()
            self.inside.remove(leave)

    async def leave(self, count: int) -> None:
        for one in self.inside[:count]:
            one.set()
        await settled()


async def settled() -> None:
    """Let everything happen that needs no waiting."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_limit_can_be_changed_while_it_is_used() -> None:
    async def run() -> None:
        slots = Slots(4)
        guests = Guests(slots, 30)
        await settled()
        assert len(guests.inside) == 4
        slots.resize(2)
        await guests.leave(1)
        assert len(guests.inside) == 3, "nobody is thrown out, and nobody follows"
        await guests.leave(3)
        assert len(guests.inside) == 2
        slots.resize(6)
        await settled()
        assert len(guests.inside) == 6
        left = 26
        while left:
            assert len(guests.inside) == min(6, left)
            left -= len(guests.inside)
            await guests.leave(6)
        await asyncio.wait_for(asyncio.gather(*guests.tasks), timeout=5)

    asyncio.run(run())


def test_who_gives_up_waiting_takes_no_slot_with_them() -> None:
    async def run() -> None:
        slots = Slots(1)
        guests = Guests(slots, 22)
        await settled()
        for impatient in guests.tasks[1:21]:
            impatient.cancel()
        await guests.leave(1)
        assert len(guests.inside) == 1, "the patient one, who came last"
        await guests.leave(1)
        await asyncio.wait_for(asyncio.gather(guests.tasks[0], guests.tasks[21]), timeout=5)

    asyncio.run(run())
