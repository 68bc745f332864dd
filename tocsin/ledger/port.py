"""The ledger: claims of submits and of attempts, and the writes in which they are durable together with records.

One attempt of one life is claimed by one record of the log, its *source*, just before the bytes leave; its settlement
is stored with everything it writes. So a record that is read again after a crash finds what became of it, and a second
record with the same attempt (a fork) finds that it has no business.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

import msgspec

from tocsin.lifecycle import State
from tocsin.record import Record, Source


class AttemptKey(NamedTuple):
    """One attempt (1, 2, …) of one life of a delivery."""

    delivery_id: str
    life: int
    attempt: int


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt is yours. `takeovers`: how many claims of it were abandoned before (a crash each)."""

    takeovers: int = 0


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The attempt, or its whole life, was settled before by this very source: there is nothing left to do."""


class Forked(msgspec.Struct, frozen=True, kw_only=True):
    """Another record owns this attempt or ended this life. The asking record is dropped without effect."""


ClaimAnswer = Granted | Settled | Forked


class Settlement(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a record, to be made durable in one write.

    `records` are the next record (retry, parked again, dead letter), if any, and the audit events. `key` is the
    attempt that it settles, None where none was made (parked again, expired, undecodable); `gives_back` is a claim
    that came to nothing, since no bytes left. `terminal` ends the life (`delivery_id`, `life`): only the first such
    settlement has any effect.
    """

    source: Source
    records: tuple[Record, ...]
    key: AttemptKey | None = None
    gives_back: AttemptKey | None = None
    life: tuple[str, int] | None = None
    terminal: State | None = None


class SubmitClaim(msgspec.Struct, frozen=True, kw_only=True):
    """An idempotency key as its tenant gave it; `fingerprint` is a hash of the canonical body."""

    tenant: str
    key: str
    fingerprint: bytes
    expires_at: datetime


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """What one accepted notification writes: its records, under its claim if it has one. `answer` is kept with it."""

    records: tuple[Record, ...]
    answer: bytes
    claim: SubmitClaim | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """Durable, and new."""


class Repeated(msgspec.Struct, frozen=True, kw_only=True):
    """The key was used before with the same body: this was the answer. Nothing was written."""

    answer: bytes


class Conflicting(msgspec.Struct, frozen=True, kw_only=True):
    """The key was used before with another body. Nothing was written."""


class InProgress(msgspec.Struct, frozen=True, kw_only=True):
    """The key is claimed and its first submit has not finished in time. Nothing was written."""


SubmitAnswer = Accepted | Repeated | Conflicting | InProgress


class Ledger(Protocol):
    """Claims and settlements over one event log.

    Where claims and records lie in one place, they are one transaction. Where they do not, the ledger has them first,
    records included, and then the log: what a crash cuts off in between is completed by whoever asks next for the same
    key, or for the same source, before the answer. So nothing that was answered is lost; records may come twice.
    """

    async def submit(self, submissions: Sequence[Submission]) -> Sequence[SubmitAnswer]:
        """Make the submissions durable, each whole or not at all, and say what became of each, in order.

        A submit with a key that failed may have landed, or may land with the key's next use: that is answered as this
        one would have been. Cancelling the call takes nothing back: what was under way goes on, and a repeat with the
        same key finds it. Raises LogFull when intake is closed by the size cap, LogUnavailable when nothing can be made
        durable.
        """

    async def claim(self, key: AttemptKey, source: Source, *, durable: bool) -> ClaimAnswer:
        """Claim an attempt for a source. With `durable`, the claim is on disk before the answer.

        A claim by the same source that was never settled is taken over (its lease has to have run out, which the
        adapter waits for). Without `durable`, other processes know of the claim all the same, but a crash of what keeps
        it may forget it. Raises LogUnavailable.
        """

    async def settle(self, settlement: Settlement) -> bool:
        """Make a settlement durable. Returns False, with nothing written, if its life had already ended.

        Commit the source's offset after the answer only: what a crash cuts off is completed when the source comes
        again. Raises LogUnavailable; the settlement may then be given again, and is True once it is completed.
        """
