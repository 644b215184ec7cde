"""The Batch API of a model's server: half the price, within a day."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import openai
from openai.types import Batch

from runbooks.adapters.llm import LLM
from runbooks.errors import LLMUnavailable

GONE = "gone"
"""Our word for a batch that the server does not know any more."""
LATE = "overdue"
"""Our word for a batch that is not waited for any longer."""
ENDED = frozenset({"completed", "failed", "expired", "cancelled", GONE, LATE})
LISTED = 200
"""So many of the server's latest batches are looked through for one whose id was never learnt."""


class NoBatchAPI(LLMUnavailable):
    """The server has no Batch API."""


class BatchGone(LLMUnavailable):
    """The server does not know the batch, or its file, any more."""


@dataclass(frozen=True)
class BatchState:
    """How far a batch is."""

    status: str
    answered: int = 0
    failed: int = 0
    total: int = 0
    output_file: str | None = None
    error_file: str | None = None
    problem: str | None = None
    """The code of the error for which the server refused all of it."""

    @property
    def ended(self) -> bool:
        """Whether there will be no more answers than there are."""
        return self.status in ENDED


class BatchClient:
    """Each method opens a connection of its own: hours lie between them. All raise LLMUnavailable."""

    def __init__(self, llm: LLM) -> None:
        self._llm = llm

    async def upload(self, content: bytes) -> str:
        """Send the requests; returns the file's id. Costs nothing yet."""
        async with self._client() as client:
            with _told(NoBatchAPI("the server has no Batch API (HTTP 404)")):
                file = await client.files.create(file=("runbooks.jsonl", content), purpose="batch")
        return file.id

    async def start(self, input_file: str) -> str:
        """Have the requests of a file answered; returns the batch's id."""
        async with self._client() as client:
            with _told(NoBatchAPI("the server has no Batch API (HTTP 404)")):
                batch = await client.batches.create(
                    input_file_id=input_file, endpoint="/v1/chat/completions", completion_window="24h"
                )
        return batch.id

    async def find(self, input_file: str) -> str | None:
        """The batch of a file, if it was ever started."""
        async with self._client() as client:
            with _told(BatchGone("the server has no Batch API any more (HTTP 404)")):
                seen = 0
                async for batch in client.batches.list(limit=100):
                    seen += 1
                    if batch.input_file_id == input_file:
                        return batch.id
                    if seen >= LISTED:
                        break
        return None

    async def state(self, batch_id: str) -> BatchState:
        """How far it is."""
        async with self._client() as client:
            with _told(BatchGone(f"the server does not know the batch {batch_id} any more")):
                return _state(await client.batches.retrieve(batch_id))

    async def read(self, file_id: str) -> list[str]:
        """The lines of a file."""
        async with self._client() as client:
            with _told(BatchGone(f"the server does not have the file {file_id} any more")):
                content = await client.files.content(file_id)
        return content.text.splitlines()

    async def delete(self, file_id: str) -> None:
        """Have the server forget a file: it holds people's workflows."""
        async with self._client() as client:
            with _told(BatchGone(f"the server does not have the file {file_id} any more")):
                await client.files.delete(file_id)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[openai.AsyncOpenAI]:
        async with self._llm.client() as client:
            yield client


def _state(batch: Batch) -> BatchState:
    counts, errors = batch.request_counts, (batch.errors.data or []) if batch.errors else []
    return BatchState(
        status=batch.status,
        answered=counts.completed if counts else 0,
        failed=counts.failed if counts else 0,
        total=counts.total if counts else 0,
        output_file=batch.output_file_id,
        error_file=batch.error_file_id,
        problem=next((error.code for error in errors if error.code), None),
    )


@contextmanager
def _told(missing: LLMUnavailable) -> Iterator[None]:
    """Say in our words what went wrong; `missing` when the server does not know what was asked for."""
    try:
        yield
    except openai.APIStatusError as error:
        if error.status_code in (404, 405, 501):
            raise missing from error
        raise LLMUnavailable(f"the server answers a batch with HTTP {error.status_code}") from error
    except (openai.OpenAIError, ValueError, AttributeError) as error:
        raise LLMUnavailable("no connection to the server for the batch, or it says something odd") from error
