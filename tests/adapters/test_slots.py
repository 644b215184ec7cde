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


def test_who_gives_up_waiting_takes_no_slot_with_them() -> None:
    crowd = Crowd(Slots(1))

    async def run() -> None:
        first = asyncio.create_task(crowd.visit(0.05))
        await asyncio.sleep(0.01)
        impatient = [asyncio.create_task(crowd.visit()) for _ in range(20)]
        patient = asyncio.create_task(crowd.visit())
        await asyncio.sleep(0.01)
        for task in impatient:
            task.cancel()
        await asyncio.wait_for(asyncio.gather(first, patient), timeout=5)

    asyncio.run(run())
    assert crowd.visits == 2


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


def test_a_limit_can_be_changed_while_it_is_used() -> None:
    slots = Slots(4)
    crowd = Crowd(slots)

    async def run() -> None:
        first = [asyncio.create_task(crowd.visit(0.05)) for _ in range(30)]
        await asyncio.sleep(0.01)
        assert crowd.inside == 4
        slots.resize(2)
        await asyncio.sleep(0.12)
        assert crowd.inside == 2
        slots.resize(6)
        await asyncio.sleep(0.02)
        assert crowd.inside == 6
        await asyncio.wait_for(asyncio.gather(*first), timeout=5)
        crowd.most = 0
        await asyncio.gather(*(crowd.visit() for _ in range(20)))

    asyncio.run(run())
    assert crowd.visits == 50
    assert crowd.most == 6
