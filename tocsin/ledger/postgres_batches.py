"""Natural group commit: what is asked for while one transaction runs goes into the next, together, without a timer.

Where nobody waits for the answer a timer pays: most of what a batch costs it costs for a single question too, and in a
trickle of them everything else would wait for that.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Generic, TypeVar

from loguru import logger

from tocsin.errors import LogUnavailable, StoreUnavailable

Q = TypeVar("Q")
A = TypeVar("A")

_MAX_WEIGHT = 4 * 1024 * 1024
# So many that wait are a batch: no more are gathered.
_MANY = 32


class Batches(Generic[Q, A]):
    """Runs `run` on all that is waiting, one batch at a time, in the order in which it came.

    `run` returns an answer, or an exception, for each question. If it fails as a whole for any other reason than that
    the store is unavailable, each question is run by itself, so that none fails with its neighbour. `weigh` tells the
    bytes of a question, of which a batch has 4 MiB. A batch waits for `gather` for more to come, unless they are many;
    where it is `prompt`, only until there is a question, so that what is told goes with the next one.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        *,
        weigh: Callable[[Q], int],
        gather: timedelta = timedelta(),
        prompt: bool = False,
    ) -> None:
        self._name = name
        self._run = run
        self._weigh = weigh
        self._gather = gather.total_seconds()
        self._prompt = prompt
        self._due = asyncio.Event()
        self._waiting: deque[tuple[Q, asyncio.Future[A] | None]] = deque()
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Q) -> A:
        """Return the answer once its transaction is committed. Raises LogUnavailable.

        Cancelling the call does not take the question back.
        """
        answer: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._put(question, answer)
        return await answer

    def tell(self, statement: Q) -> None:
        """Have something done, before whatever is asked later. Nobody hears if it fails: it must not matter."""
        self._put(statement, None)

    async def close(self) -> None:
        """Return when everything has been done that was asked for or told."""
        while self._task is not None:
            await self._task

    def _put(self, question: Q, answer: "asyncio.Future[A] | None") -> None:
        self._waiting.append((question, answer))
        if len(self._waiting) >= _MANY or (self._prompt and answer is not None):
            self._due.set()
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)

    async def _work(self) -> None:
        try:
            while self._waiting:
                if self._gather:
                    await self._gathered()
                batch = self._taken()
                for (_, future), answer in zip(batch, await self._answers([each for each, _ in batch]), strict=True):
                    _resolve(future, answer)
        finally:
            self._task = None
            # Only a loop that is being torn down cancels this task.
            for _, future in self._waiting:
                _resolve(future, LogUnavailable("the ledger is closed"))
            self._waiting.clear()

    async def _gathered(self) -> None:
        """Return when the batch is due: time is up, or nothing is gained by waiting."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._gather):
                await self._due.wait()

    def _taken(self) -> "list[tuple[Q, asyncio.Future[A] | None]]":
        batch = [self._waiting.popleft()]
        room = _MAX_WEIGHT - self._weigh(batch[0][0])
        while self._waiting and (room := room - self._weigh(self._waiting[0][0])) >= 0:
            batch.append(self._waiting.popleft())
        if not self._waiting:
            self._due.clear()
        return batch

    async def _answers(self, questions: Sequence[Q]) -> Sequence[A | Exception]:
        try:
            return await self._run(questions)
        except StoreUnavailable as error:
            logger.debug("ledger_batch_failed", batches=self._name, error=str(error))
            return [unavailable(error)] * len(questions)
        except Exception as error:  # noqa: BLE001 - one question that cannot be put must not fail the others
            if len(questions) == 1:
                return [error]
            return [answer for question in questions for answer in await self._answers([question])]


def unavailable(error: StoreUnavailable) -> LogUnavailable:
    """Return what the ledger says of a store that cannot be used: to those who ask it, it is part of the log."""
    found = LogUnavailable(f"the ledger cannot be used: {error}")
    found.__cause__ = error
    return found


def _resolve(future: "asyncio.Future[A] | None", answer: A | Exception) -> None:
    if future is None or future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
