"""Keeping a model's answers as they arrive: those that arrive while others are saved are saved together."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from functools import partial
from types import TracebackType

from runbooks.adapters.patience import Tell, persist
from runbooks.adapters.store import Draft
from runbooks.errors import DatabaseError

Drafts = Mapping[str, tuple[str, Draft]]
"""Workflow id and draft, by fingerprint."""


class DraftKeeper:
    """Saves within one event loop. Leaving it saves what is left, however it is left."""

    def __init__(
        self,
        save: Callable[[Drafts], None],
        *,
        patience_s: float,
        meanwhile: Callable[[], AbstractContextManager[bool]],
        tell: Tell,
    ) -> None:
        """`patience_s`, `meanwhile` and `tell` are those of `persist`."""
        self._persist = partial(persist, patience_s=patience_s, meanwhile=meanwhile, tell=tell)
        self._save = save
        self._drafts: dict[str, tuple[str, Draft]] = {}
        self._saved: asyncio.Future[None] | None = None
        self._saving: asyncio.Task[None] | None = None

    async def keep(self, workflow_id: str, fingerprint: str, draft: Draft) -> None:
        """Returns when it is saved; DatabaseError when it cannot be."""
        if self._saved is None:
            self._saved = asyncio.get_running_loop().create_future()
        self._drafts[fingerprint] = (workflow_id, draft)
        saved = self._saved
        if self._saving is None or self._saving.done():
            self._saving = asyncio.create_task(self._save_all())
        await asyncio.shield(saved)

    async def __aenter__(self) -> "DraftKeeper":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._saving is not None and kind is not None:
            self._saving.cancel()  # a database that is away is not waited for any longer
        if self._saving is not None:
            await asyncio.wait([self._saving])
        if self._drafts:
            with suppress(DatabaseError):  # what has happened already is told
                await asyncio.to_thread(self._save, self._drafts)

    async def _save_all(self) -> None:
        while self._drafts and self._saved:
            drafts, saved = self._drafts, self._saved
            self._drafts, self._saved = {}, None
            try:
                await self._persist(partial(self._save, drafts))
            except asyncio.CancelledError:
                self._drafts = {**drafts, **self._drafts}
                raise
            except Exception as error:
                saved.set_exception(error)
                saved.exception()  # whoever waited may have been cancelled
            else:
                saved.set_result(None)
