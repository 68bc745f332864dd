"""A process that places orders until it is killed: `python -m tests.shop.teller FOLDER`. It says each id as it goes."""

import asyncio
import sys
from itertools import count
from pathlib import Path

from tests.shop.shops import running
from tocsin.runtime.clock import SystemClock


async def _place(directory: Path) -> None:
    async with running(directory, clock=SystemClock()) as shop:
        ada = await shop.customer()
        for number in count():
            print(await shop.place(ada, book=1 + number % 3), flush=True)  # noqa: T201 - what the test waits for


if __name__ == "__main__":
    asyncio.run(_place(Path(sys.argv[1])))
