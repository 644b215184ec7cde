"""What a model answered for one runbook, and what it cost: paid once, kept at once."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbooks.adapters.writing_pool import AnyManuscript
from runbooks.core.prompting import Request
from runbooks.core.spending import NO_TOKENS, Prices, Purse, Tokens
from runbooks.errors import LLMError

if TYPE_CHECKING:
    from runbooks.adapters.llm import Connection, Reply


@dataclass(frozen=True)
class PaidAnswers:
    """Answers for one runbook that a model gave already, as kept text, and what they cost."""

    text: str = "{}"
    tokens: Tokens = NO_TOKENS
    cost_usd: float | None = None


Keep = Callable[[PaidAnswers], Awaitable[None]]


class Ledger:
    """Answers for one runbook: those paid for earlier are used, new ones are kept as they arrive."""

    def __init__(
        self,
        connection: "Connection",
        paid: PaidAnswers,
        keep: Keep | None,
        purses: Sequence[Purse],
        prices: Prices | None,
    ) -> None:
        from runbooks.adapters.llm import Reply, Usage

        self._connection = connection
        self._keep = keep
        kept = _read_kept(paid.text)
        self._replies = {name: Reply(str(text), cut=bool(cut)) for name, (text, cut) in kept.items()}
        self._redacted = {name: reply.text for name, reply in self._replies.items()}
        self._failed: dict[str, LLMError] = {}
        self._paid = paid
        self._usage = Usage()
        self._purses = purses
        self._prices = prices

    @property
    def tokens(self) -> Tokens:
        """Those of answers that were paid for earlier included."""
        return self._paid.tokens + self._usage.tokens

    @property
    def cost_usd(self) -> float | None:
        """The same in US dollars; None when nobody told the prices."""
        if self._prices is None:
            return self._paid.cost_usd
        return (self._paid.cost_usd or 0.0) + self._prices.cost(self._usage.tokens)

    @property
    def calls(self) -> int:
        """Requests sent now, the failed ones included."""
        return self._usage.calls

    async def ask(self, name: str, request: Request, manuscript: AnyManuscript) -> "Reply":
        """The answer to a request; whoever asks again under the same name gets the same, the error included."""
        if name in self._failed:
            raise self._failed[name]
        if name not in self._replies:
            try:
                self._replies[name] = await self._connection.ask(request.prompt, self._usage, self._purses)
            except LLMError as error:
                self._failed[name] = error
                raise
        if name not in self._redacted:
            # A model may make up what looks like a secret; nothing that does is ever stored.
            redacted = await manuscript.redacted(self._replies[name].text)
            await self._save({**self._redacted, name: redacted})
            self._redacted[name] = redacted
        return self._replies[name]

    async def _save(self, texts: Mapping[str, str]) -> None:
        if self._keep:
            kept = json.dumps({name: [text, self._replies[name].cut] for name, text in texts.items()})
            await self._keep(PaidAnswers(kept, self.tokens, self.cost_usd))


def _read_kept(text: str) -> dict[str, list[str | bool]]:
    """What an earlier run kept; a form that is not ours counts as nothing, and is asked for again."""
    try:
        kept = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(kept, dict):
        return {}
    return {name: pair for name, pair in kept.items() if isinstance(pair, list) and len(pair) == 2}
