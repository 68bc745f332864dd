"""Dead letters in SQL: one row each, with its payload byte for byte, and how to read them.

`open` is nobody's decision yet. `replaying` means that the next life has its number, but perhaps not yet its record.
`replayed` means that the log has that record, `discarded` that the letter will never be sent. Both are final: each
letter is decided once, and a replay that dies again is a letter of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    RowMapping,
    Table,
    Text,
    select,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin import deadletter, lifecycle
from tocsin.clock import from_ms, to_ms
from tocsin.delivery import Lane
from tocsin.hops import Attempted
from tocsin.record import Headers, Source
from tocsin.store import upsert

# Whose operators see the letters of which no tenant is known: there is one tenant until more are made, this one.
FALLBACK_TENANT = "default"

metadata = MetaData()

dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", Text, primary_key=True),
    # Whose it is, null where that could not be read; and the tenant whose operators see it, which is never null.
    Column("tenant", Text),
    Column("visible_to", Text, nullable=False),
    Column("notification_id", Text),
    Column("delivery_id", Text),
    Column("life", BigInteger),
    Column("channel", Text, nullable=False),
    Column("lane", Text),
    Column("category", Text),
    Column("template", Text),
    Column("reason", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("attempts", BigInteger),
    Column("history", JSON, nullable=False),
    Column("origin_topic", Text, nullable=False),
    Column("origin_partition", BigInteger, nullable=False),
    Column("origin_offset", BigInteger, nullable=False),
    Column("died_at", BigInteger, nullable=False),
    Column("ingested_at", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("replay_life", BigInteger),
    Column("replay_state", Text),
    Column("replayed_at", BigInteger),
    Column("replayed_by", Text),
    Column("discarded_at", BigInteger),
    Column("discarded_by", Text),
    # When the decision was made of which the log may not have the records yet; null once it has.
    Column("outstanding_since", BigInteger),
    Index("dead_letters_newest", "visible_to", "died_at", "id"),
    Index("dead_letters_by_notification", "notification_id", "died_at", "id"),
    Index("dead_letters_by_delivery", "delivery_id", "replay_life"),
    Index("dead_letters_outstanding", "outstanding_since", "id"),
)
_PAYLOAD = frozenset({"key", "value", "headers"})
# What a list shows: everything but the payload, which is large and private.
FACTS = tuple(column for column in dead_letters.columns if column.name not in _PAYLOAD)


class State(StrEnum):
    """What has been decided about a dead letter."""

    OPEN = "open"
    REPLAYING = "replaying"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A dead letter without its payload. What could not be read of it is None."""

    id: str
    tenant: str | None
    notification_id: str | None
    delivery_id: str | None
    life: int | None
    channel: str
    lane: Lane | None
    category: str | None
    template: str | None
    reason: str
    code: str
    message: str
    provider: str
    attempts: int | None
    history: tuple[Attempted, ...]
    origin: Source
    died_at: datetime
    ingested_at: datetime
    state: State
    version: int
    replay_life: int | None
    replay_state: lifecycle.State | None
    replayed_at: datetime | None
    replayed_by: str | None
    discarded_at: datetime | None
    discarded_by: str | None
    outstanding_since: datetime | None

    @property
    def readable(self) -> bool:
        """Whether it is known which life of which delivery died."""
        return self.tenant is not None and self.delivery_id is not None and self.life is not None

    @property
    def of_request(self) -> bool:
        """Whether it is a request that died, of which no delivery was made."""
        return self.channel == deadletter.REQUESTS

    @property
    def replayable(self) -> bool:
        """Whether there is something that can be sent again: a delivery that was read, or a request in full."""
        return self.reason != deadletter.Reason.TOO_LARGE if self.of_request else self.readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """The record as it lies in the dead-letter topic, byte for byte."""

    key: bytes | None
    value: bytes
    headers: Headers


_headers_decoder = msgspec.msgpack.Decoder(Headers)


def pack(headers: Headers) -> bytes:
    """Return headers as bytes: their order, repeated names and any bytes in their values stay."""
    return msgspec.msgpack.encode(headers)


async def add(connection: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Insert new letters; those that are there already stay as they are, whatever was decided about them."""
    if not rows:
        return
    # In the order of their ids, so that two processes with the same letters do not wait for each other.
    ordered = sorted(rows, key=lambda row: row["id"])
    await connection.execute(upsert.insert(connection, dead_letters).on_conflict_do_nothing(), ordered)


async def find(connection: AsyncConnection, letter_id: str, *, tenant: str) -> Item | None:
    """Return the letter if it is there and this tenant's operators may see it."""
    query = select(*FACTS).where(dead_letters.c.id == letter_id, dead_letters.c.visible_to == tenant)
    row = (await connection.execute(query)).mappings().one_or_none()
    return None if row is None else of_row(row)


async def payload(connection: AsyncConnection, letter_id: str) -> Payload:
    """Return the payload of a letter that is there. Raises sqlalchemy.exc.NoResultFound."""
    columns = dead_letters.c
    query = select(columns.key, columns.value, columns.headers).where(columns.id == letter_id)
    row = (await connection.execute(query)).one()
    return Payload(key=row.key, value=row.value, headers=_headers_decoder.decode(row.headers))


async def outstanding(
    connection: AsyncConnection, *, before: datetime, above: Item | None, limit: int
) -> Sequence[Item]:
    """Return decided letters of which the log may still lack the records, the oldest decision first.

    `before` leaves out those decided later, which somebody may be busy with; `above` is where the last page ended.
    """
    columns = dead_letters.c
    query = select(*FACTS).where(columns.outstanding_since <= to_ms(before))
    if above is not None and above.outstanding_since is not None:
        query = query.where(tuple_(columns.outstanding_since, columns.id) > (to_ms(above.outstanding_since), above.id))
    query = query.order_by(columns.outstanding_since, columns.id).limit(limit)
    return [of_row(row) for row in (await connection.execute(query)).mappings()]


def of_row(row: RowMapping) -> Item:
    """Return a row of FACTS as an item."""
    return Item(
        id=row["id"],
        tenant=row["tenant"],
        notification_id=row["notification_id"],
        delivery_id=row["delivery_id"],
        life=row["life"],
        channel=row["channel"],
        lane=None if row["lane"] is None else Lane(row["lane"]),
        category=row["category"],
        template=row["template"],
        reason=row["reason"],
        code=row["code"],
        message=row["message"],
        provider=row["provider"],
        attempts=row["attempts"],
        history=msgspec.convert(row["history"], tuple[Attempted, ...]),
        origin=Source(row["origin_topic"], row["origin_partition"], row["origin_offset"]),
        died_at=from_ms(row["died_at"]),
        ingested_at=from_ms(row["ingested_at"]),
        state=State(row["state"]),
        version=row["version"],
        replay_life=row["replay_life"],
        replay_state=None if row["replay_state"] is None else lifecycle.State(row["replay_state"]),
        replayed_at=_moment(row["replayed_at"]),
        replayed_by=row["replayed_by"],
        discarded_at=_moment(row["discarded_at"]),
        discarded_by=row["discarded_by"],
        outstanding_since=_moment(row["outstanding_since"]),
    )


def _moment(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else from_ms(milliseconds)
