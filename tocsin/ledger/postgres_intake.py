"""Submits in PostgreSQL: claim the keys, write the records to the log, note that it has them.

A key is held by one submit at a time. In this process the others of its key wait for the first one's answer; those of
other processes look again until the key is done, or their patience ends. The note that the log has the records is not
waited for: until it is there, a repeat writes the same records again, under the same ids.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

from tocsin.clock import Clock
from tocsin.errors import LogError, LogUnavailable, StoreUnavailable
from tocsin.eventlog.port import Publisher
from tocsin.ledger import postgres_submits as submits
from tocsin.ledger.port import (
    Accepted,
    Conflicting,
    InProgress,
    Repeated,
    Submission,
    SubmitAnswer,
    SubmitClaim,
)
from tocsin.ledger.postgres_attempts import Holder
from tocsin.ledger.postgres_batches import Batches, unavailable
from tocsin.ledger.postgres_submits import Busy, Dropped, Found, Key, Released, Told, Written, Yours
from tocsin.store.engine import Store

# How soon a key that another process holds is looked at again: it writes to the log, which takes some milliseconds.
_LOOK_AGAIN = timedelta(milliseconds=50)
_ROW_BYTES = 1024
# How long a note waits for the next claim, to go with it.
_GATHER = timedelta(milliseconds=20)


class _Ask(NamedTuple):
    """One question for the next batch."""

    claim: SubmitClaim
    submission: Submission


class _First(NamedTuple):
    """What the first submit of a key came to, for those that wait for it in this process."""

    fingerprint: bytes
    answer: bytes


class Intake:
    """Takes submissions."""

    def __init__(
        self, *, store: Store, publisher: Publisher, clock: Clock, patience: timedelta, holder: Callable[[], Holder]
    ) -> None:
        self._store = store
        self._publisher = publisher
        self._clock = clock
        self._patience = patience
        self._holder = holder
        self._batches: Batches[_Ask | Told, Found] = Batches(
            "ledger.submits", self._claim, weigh=_weight, gather=_GATHER, prompt=True
        )
        self._running: dict[Key, asyncio.Future[_First | None]] = {}

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """See the port."""
        answers: dict[int, SubmitAnswer] = {}
        until = self._clock.monotonic() + self._patience.total_seconds()
        while True:
            held = await self._round(submissions, answers)
            busy = {
                index: each.claim
                for index, each in enumerate(submissions)
                if index not in answers and each.claim is not None
            }
            if not busy or self._clock.monotonic() >= until:
                return [answers.get(index, InProgress()) for index in range(len(submissions))]
            # What came twice in this very call is asked for again as soon as its first is done.
            if all(submits.key_of(claim) in held or submits.key_of(claim) in self._running for claim in busy.values()):
                await self._wait(busy, answers)

    async def close(self) -> None:
        """Return when all that was told is written, or has failed."""
        await self._batches.close()

    async def _round(self, submissions: Sequence[Submission], answers: dict[int, SubmitAnswer]) -> set[Key]:
        """Answer all that can be answered now; return the keys that other processes hold."""
        asks: dict[int, _Ask] = {}
        for index, submission in enumerate(submissions):
            claim = submission.claim
            if index in answers or claim is None or submits.key_of(claim) in self._running:
                continue
            asks[index] = _Ask(claim, submission)
            self._running[submits.key_of(claim)] = asyncio.get_running_loop().create_future()
        firsts: dict[Key, _First] = {}
        try:
            found = await self._ask(asks)
            await self._write(submissions, answers, found, asks)
            for index, each in found.items():
                answers.update(_answered(index, each))
                if isinstance(each, Yours | Repeated):
                    firsts[submits.key_of(asks[index].claim)] = _First(asks[index].claim.fingerprint, each.answer)
        finally:
            for ask in asks.values():
                key = submits.key_of(ask.claim)
                self._running.pop(key).set_result(firsts.get(key))
        return {submits.key_of(asks[index].claim) for index, each in found.items() if isinstance(each, Busy)}

    async def _ask(self, asks: Mapping[int, _Ask]) -> dict[int, Found]:
        found = await asyncio.gather(*map(self._batches.ask, asks.values()), return_exceptions=True)
        held = dict(zip(asks, found, strict=True))
        for failure in found:
            if isinstance(failure, BaseException):
                for index, each in held.items():
                    if isinstance(each, Yours):
                        self._batches.tell(Released(submits.key_of(asks[index].claim)))
                raise failure
        return {index: each for index, each in held.items() if not isinstance(each, BaseException)}

    async def _write(
        self,
        submissions: Sequence[Submission],
        answers: dict[int, SubmitAnswer],
        found: Mapping[int, Found],
        asks: Mapping[int, _Ask],
    ) -> None:
        """Write what is ours to write, all at once and in order."""
        mine = {index: each for index, each in found.items() if isinstance(each, Yours)}
        free = [i for i, submission in enumerate(submissions) if submission.claim is None and i not in answers]
        writing = {**{index: each.records for index, each in mine.items()}, **{i: submissions[i].records for i in free}}
        if not writing:
            return
        told: type[Told] = Released
        try:
            await self._publisher.write([record for index in sorted(writing) for record in writing[index]])
            told = Written
        except LogUnavailable:
            raise
        except LogError:
            # The log will never take them: no such topic, or too large.
            told = Dropped
            raise
        finally:
            for index in mine:
                self._batches.tell(told(submits.key_of(asks[index].claim)))
        answers.update(dict.fromkeys(free, Accepted()))

    async def _wait(self, busy: Mapping[int, SubmitClaim], answers: dict[int, SubmitAnswer]) -> None:
        """Wait until something may have changed, and take the answers of this process's own submits."""
        running = {
            index: self._running[key]
            for index, claim in busy.items()
            if (key := submits.key_of(claim)) in self._running
        }
        pause = asyncio.ensure_future(self._clock.sleep(_LOOK_AGAIN))
        waiting: set[asyncio.Future[Any]] = {*running.values(), pause}
        try:
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        finally:
            pause.cancel()
            await asyncio.gather(pause, return_exceptions=True)
        for index, future in running.items():
            if future.done() and (first := future.result()) is not None:
                same = first.fingerprint == busy[index].fingerprint
                answers[index] = Repeated(answer=first.answer) if same else Conflicting()

    async def _claim(self, given: Sequence[_Ask | Told]) -> Sequence[Found | LogUnavailable]:
        """Note what is told, then claim. No key is asked for twice: see `_running`."""
        told = [each for each in given if not isinstance(each, _Ask)]
        asked = {submits.key_of(each.claim): (each.claim, each.submission) for each in given if isinstance(each, _Ask)}
        await submits.give_up(self._store, told)
        written = {each.key for each in told if isinstance(each, Written)}
        if written & asked.keys():
            # One statement changes a row once only.
            await submits.claim(self._store, {}, written, self._holder())
            written.clear()
        found: dict[Key, Found | LogUnavailable] = {}
        if asked or written:
            found |= await submits.claim(self._store, asked, written, self._holder())
        others = {key: claim for key, (claim, _) in asked.items() if key not in found}
        if others:
            found |= await self._find(others)
        return [found[submits.key_of(each.claim)] if isinstance(each, _Ask) else Busy() for each in given]

    async def _find(self, asked: Mapping[Key, SubmitClaim]) -> Mapping[Key, Found | LogUnavailable]:
        """Return what became of keys. Where that fails, those that were claimed with them are held all the same."""
        try:
            return await submits.find(self._store, asked, self._holder())
        except StoreUnavailable as error:
            return dict.fromkeys(asked, unavailable(error))


def _answered(index: int, found: Found) -> dict[int, SubmitAnswer]:
    match found:
        case Yours(new=True):
            return {index: Accepted()}
        case Yours(answer=answer):
            return {index: Repeated(answer=answer)}
        case Repeated() | Conflicting():
            return {index: found}
        case Busy():
            return {}


def _weight(given: _Ask | Told) -> int:
    if not isinstance(given, _Ask):
        return _ROW_BYTES
    return _ROW_BYTES + sum(len(record.value) for record in given.submission.records)
