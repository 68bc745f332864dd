"""Puts letters into inboxes, all that wait in one transaction: a commit costs far more than a row."""

import asyncio
from collections.abc import Sequence

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import Letter
from tocsin.errors import StoreUnavailable

# Rows of 14 columns a statement, well within the parameters that a database takes.
_AT_ONCE = 100


class _Waiting:
    """A letter on its way, and what came of it."""

    def __init__(self, letter: Letter, life: int) -> None:
        self.letter = letter
        self.life = life
        self.done = False
        self.error: Exception | None = None


class Post:
    """Collects what comes while a transaction runs; whoever is first to have the turn after it writes all of that."""

    def __init__(self, inboxes: Inboxes) -> None:
        self._inboxes = inboxes
        self._waiting: list[_Waiting] = []
        self._turn = asyncio.Lock()

    async def put(self, letter: Letter, life: int) -> None:
        """Return once the letter is durably in its inbox. Raises StoreUnavailable: then it need not be there.

        When cancelled, the letter may be put there all the same; those of others that were with it still are.
        """
        ours = _Waiting(letter, life)
        self._waiting.append(ours)
        try:
            async with self._turn:
                while not ours.done:
                    await self._write()
        finally:
            if ours in self._waiting:
                self._waiting.remove(ours)
        if ours.error is not None:
            raise ours.error

    async def _write(self) -> None:
        batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        try:
            await self._put(batch)
        except BaseException:
            # Whoever had the turn is cancelled: the next one does it, and what is there already stays as it is.
            self._waiting[:0] = [each for each in batch if not each.done]
            raise

    async def _put(self, batch: Sequence[_Waiting]) -> None:
        try:
            await self._inboxes.put([(each.letter, each.life) for each in batch])
        except StoreUnavailable as error:
            _end(batch, error)
        except Exception as error:  # noqa: BLE001 - a bug is that letter's own, and raised where it was put
            if len(batch) == 1:
                _end(batch, error)
            for each in batch if len(batch) > 1 else ():
                await self._put([each])
        else:
            _end(batch, None)


def _end(batch: Sequence[_Waiting], error: Exception | None) -> None:
    for each in batch:
        each.done, each.error = True, error
