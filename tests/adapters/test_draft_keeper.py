"""Answers that were paid for are saved: together where they come together, and whatever happens meanwhile."""

import asyncio
import threading
from contextlib import nullcontext

import pytest

from runbooks.adapters.draft_keeper import DraftKeeper, Drafts
from runbooks.adapters.store import Draft
from runbooks.errors import DatabaseError, DatabaseUnreachable


class Saved:
    """Where drafts go; each saving takes until it is let through."""

    def __init__(self) -> None:
        self.times: list[Drafts] = []
        self.through = threading.Event()
        self.through.set()
        self.error: DatabaseError | None = None
        self.told: list[str] = []

    def save(self, drafts: Drafts) -> None:
        self.through.wait(10)
        if self.error is not None:
            raise self.error
        self.times.append(dict(drafts))

    @property
    def fingerprints(self) -> list[str]:
        return sorted({name for drafts in self.times for name in drafts})

    def keeper(self, patience_s: float = 0) -> DraftKeeper:
        return DraftKeeper(self.save, patience_s=patience_s, meanwhile=lambda: nullcontext(True), tell=self.told.append)


async def keep(keeper: DraftKeeper, *numbers: int) -> None:
    async with asyncio.TaskGroup() as group:
        for number in numbers:
            group.create_task(keeper.keep(f"w{number}", f"f{number}", Draft(f'{{"{number}": 1}}')))


def test_answers_that_come_while_one_is_saved_are_saved_together() -> None:
    saved = Saved()
    saved.through.clear()

    async def run() -> None:
        async with saved.keeper() as keeper, asyncio.TaskGroup() as group:
            group.create_task(keep(keeper, 0))
            await asyncio.sleep(0.05)
            group.create_task(keep(keeper, *range(1, 50)))
            await asyncio.sleep(0.05)
            saved.through.set()

    asyncio.run(run())
    assert [len(drafts) for drafts in saved.times] == [1, 49]
    assert saved.times[1]["f7"] == ("w7", Draft('{"7": 1}'))


def test_an_answer_is_kept_when_the_call_returns() -> None:
    saved = Saved()

    async def run() -> None:
        async with saved.keeper() as keeper:
            for number in range(3):
                await keep(keeper, number)
                assert f"f{number}" in saved.fingerprints

    asyncio.run(run())


def test_everybody_hears_that_it_could_not_be_saved() -> None:
    saved = Saved()
    saved.error = DatabaseError("no")

    async def run() -> list[object]:
        async with saved.keeper() as keeper:
            return await asyncio.gather(
                *(keeper.keep(f"w{number}", f"f{number}", Draft("{}")) for number in range(3)), return_exceptions=True
            )

    assert [str(error) for error in asyncio.run(run())] == ["no"] * 3


def test_an_interrupted_run_saves_what_it_was_given() -> None:
    saved = Saved()
    saved.through.clear()

    async def run() -> None:
        async with saved.keeper() as keeper:
            group = asyncio.gather(keep(keeper, 0), keep(keeper, 1, 2))
            await asyncio.sleep(0.05)
            threading.Timer(0.1, saved.through.set).start()
            group.cancel()
            await group

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(run())
    assert saved.fingerprints == ["f0", "f1", "f2"]


def test_an_interrupted_run_does_not_wait_for_a_database_that_is_away() -> None:
    saved = Saved()
    saved.error = DatabaseUnreachable("away")

    async def run() -> None:
        async with saved.keeper(patience_s=600) as keeper:
            group = asyncio.gather(keep(keeper, 0))
            await asyncio.sleep(0.05)
            group.cancel()
            await group

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(asyncio.wait_for(run(), timeout=10))
