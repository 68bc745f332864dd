"""Check → fan out → accept: what a submit is, wherever it comes from."""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec

from producer import registered
from producer.check import Checked, Checker
from producer.fanout import Fanout, fan_out
from tocsin import ids
from tocsin.clock import Clock
from tocsin.delivery import Semantics
from tocsin.errors import LogUnavailable
from tocsin.ledger.port import (
    Accepted,
    Conflicting,
    InProgress,
    Ledger,
    Repeated,
    Submission,
    SubmitAnswer,
    SubmitClaim,
)
from tocsin.runtime.service import Lookup
from tocsin.validation import Fault, Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One notification to submit, as JSON gave it. `size` is in bytes of JSON.

    `asked_at` is when it was asked for, where that is not now: its time to live counts from then. `fingerprint` is what
    a repeat under the same key has to be alike in, where that is not the document.
    """

    document: Any
    size: int
    key: str | None
    asked_at: datetime | None = None
    fingerprint: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Durable. `answer` is the JSON to answer with; `repeated` if it was taken before."""

    answer: bytes
    repeated: bool
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Nothing was taken; this is what is wrong."""

    faults: Sequence[Fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReused:
    """Nothing was taken: the idempotency key came with another body before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyBusy:
    """Nothing was taken: the first submit with this idempotency key has not ended."""


Result = Taken | Refused | KeyReused | KeyBusy


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitConfig:
    """How submits are taken. `timeout` bounds the wait for the log."""

    keep_keys: timedelta
    at_most_once_categories: frozenset[str]
    timeout: timedelta


class NotDurableInTime(LogUnavailable):
    """The log did not answer in time: the submit may still land, under the ids it was given."""

    def __init__(self, notification_ids: Sequence[str]) -> None:
        super().__init__("the event log did not answer in time")
        self.notification_ids = notification_ids


class Submitter:
    """Takes notifications for a tenant."""

    def __init__(
        self,
        config: SubmitConfig,
        *,
        schema: Schema,
        checker: Checker,
        ledger: Ledger,
        clock: Clock,
        randbytes: Callable[[int], bytes],
        take_intake: Callable[[], None],
        lookups: Mapping[str, Lookup] | None = None,
    ) -> None:
        self._take_intake = take_intake
        self._lookups = lookups or {}
        self._config = config
        self._schema = schema
        self._checker = checker
        self._ledger = ledger
        self._clock = clock
        self._randbytes = randbytes

    async def submit(self, tenant: str, items: Sequence[Item], *, test: bool = False) -> Sequence[Result]:
        """Take what can be taken and say what became of each, in order. A `test` reaches no provider.

        Raises LogFull, LogUnavailable and StoreUnavailable (nothing was taken), NotDurableInTime (it may have been).
        """
        self._take_intake()
        # A test key reads its notifications, and the register is closed to it.
        if self._lookups and not test:
            wholes = [await registered.completed(item.document, tenant, self._lookups) for item in items]
            prepared = [
                self._prepare(tenant, item, whole, test=test) for item, whole in zip(items, wholes, strict=True)
            ]
        else:
            prepared = [self._prepare(tenant, item, item.document, test=test) for item in items]
        good = [each for each in prepared if isinstance(each, _Prepared)]
        answers = iter(await self._accept(good)) if good else iter(())
        return [_result(each, next(answers)) if isinstance(each, _Prepared) else each for each in prepared]

    def _prepare(self, tenant: str, item: Item, whole: Any, *, test: bool) -> "_Prepared | Refused":
        # `whole` is the document with what is registered: only its addresses come from there.
        if faults := self._schema.faults(item.document):
            return Refused(faults=faults)
        now = self._clock.now()
        checked = self._checker.check(whole, size=item.size, now=item.asked_at or now, test=test)
        if not isinstance(checked, Checked):
            return Refused(faults=checked)
        fanout = fan_out(
            item.document,
            checked,
            notification_id=ids.notification_id(now, self._randbytes),
            tenant=tenant,
            semantics=self._semantics(item.document),
            now=now,
            test=test,
        )
        return _Prepared(fanout=fanout, submission=self._submission(tenant, item, fanout, test=test))

    def _semantics(self, document: Mapping[str, Any]) -> Semantics:
        once = document.get("category", "default") in self._config.at_most_once_categories
        return "at_most_once" if once else "at_least_once"

    def _submission(self, tenant: str, item: Item, fanout: Fanout, *, test: bool) -> Submission:
        if item.key is None:
            return Submission(records=fanout.records, answer=fanout.answer)
        claim = SubmitClaim(
            tenant=tenant,
            key=_key_of_test(item.key) if test else item.key,
            fingerprint=item.fingerprint or _fingerprint(item.document),
            expires_at=self._clock.now() + self._config.keep_keys,
        )
        return Submission(records=fanout.records, answer=fanout.answer, claim=claim)

    async def _accept(self, prepared: Sequence["_Prepared"]) -> Sequence[SubmitAnswer]:
        try:
            async with asyncio.timeout(self._config.timeout.total_seconds()):
                return await self._ledger.submit([each.submission for each in prepared])
        except TimeoutError:
            raise NotDurableInTime([each.fanout.notification_id for each in prepared]) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    fanout: Fanout
    submission: Submission


def _fingerprint(document: Any) -> bytes:
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).digest()


def _key_of_test(key: str) -> str:
    """Return the key that a test's is kept as: it must not be taken for the same key of a live notification."""
    return f"test:{hashlib.sha256(key.encode()).hexdigest()}"


def _result(prepared: _Prepared, answer: SubmitAnswer) -> Result:
    match answer:
        case Accepted():
            fanout = prepared.fanout
            return Taken(answer=fanout.answer, repeated=False, deliveries=len(fanout.deliveries))
        case Repeated(answer=first):
            return Taken(answer=first, repeated=True, deliveries=0)
        case Conflicting():
            return KeyReused()
        case InProgress():
            return KeyBusy()
