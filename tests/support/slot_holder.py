"""A process that asks the model so many times within the shared limit: `python -m tests.support.slot_holder 40`."""

import asyncio
import logging
import sys

from runbooks.adapters.breaker import Breaker
from runbooks.adapters.llm import Usage
from runbooks.bootstrap import open_llm
from runbooks.core.prompting import Prompt
from runbooks.settings import load_settings
from tasks.shared_slots import shared_slots

PROMPT = Prompt("head", "BEGIN DATA\nsomething\nEND DATA")


async def ask(times: int) -> None:
    async with open_llm(load_settings()).connect(Breaker()) as connection:
        await asyncio.gather(*(connection.ask(PROMPT, Usage()) for _ in range(times)))


def main(times: int) -> None:
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("tasks").setLevel(logging.INFO)
    with shared_slots(load_settings(), times) as refusal:
        print(refusal or "in", flush=True)
        if refusal is None:
            asyncio.run(ask(times))


if __name__ == "__main__":
    main(int(sys.argv[1]))
