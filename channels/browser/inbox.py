"""The inboxes: what lies in them, put there once, and read by the number of the last message that was seen.

Of an inbox the newest messages stay, a bounded number of them; older ones make room.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, and_, delete, func, or_, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from channels.browser.inbox_message import InboxMessage, Letter, Owner, Shown
from channels.browser.tables import inboxes, messages
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.store import upsert
from tocsin.store.engine import Store

# So many inboxes a query: a database takes a bounded number of parameters.
_AT_ONCE = 500
_COLUMNS = messages.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An inbox as it is now: the number of its newest message, 0 where there never was one, and how many are unread."""

    newest: int
    unread: int


class Inboxes:
    """The inboxes of all tenants, with `most` messages each. Every method may raise StoreUnavailable."""

    def __init__(self, *, store: Store, clock: Clock, most: int) -> None:
        self._store = store
        self._clock = clock
        self._most = most

    async def put(self, letters: Sequence[tuple[Letter, int]]) -> None:
        """Put letters, each with its delivery's life, into their inboxes, durably. One that lies there stays as it is.

        Each takes a number, so a repeat, which is rare, leaves a gap, and the oldest message goes one early.
        """
        coming = Counter(letter.owner for letter, _ in letters)
        now = to_ms(self._clock.now())
        async with self._store.write() as connection:
            newest = await _numbered(connection, coming)
            following = {owner: number - coming[owner] for owner, number in newest.items()}
            rows = []
            for letter, life in letters:
                following[letter.owner] += 1
                rows.append(_values(letter, life, number=following[letter.owner], now=now))
            statement = upsert.insert(connection, messages).values(rows)
            await connection.execute(statement.on_conflict_do_nothing(index_elements=["delivery_id", "life"]))
            await self._make_room(connection, newest)

    async def since(self, owner: Owner, number: int, *, limit: int) -> Sequence[InboxMessage]:
        """Return the messages after this number, the oldest first."""
        query = _of(owner).where(_COLUMNS.number > number).order_by(_COLUMNS.number).limit(limit)
        return await self._read(query)

    async def latest(self, owner: Owner, *, before: int | None, limit: int) -> Sequence[InboxMessage]:
        """Return the messages, or those before this number, the newest first."""
        query = _of(owner).order_by(_COLUMNS.number.desc()).limit(limit)
        return await self._read(query if before is None else query.where(_COLUMNS.number < before))

    async def unread(self, owner: Owner, numbers: Sequence[int]) -> Sequence[InboxMessage]:
        """Return those of these messages that are there and were not read."""
        query = _of(owner).where(_COLUMNS.number.in_(numbers), _COLUMNS.read_at.is_(None))
        return await self._read(query.order_by(_COLUMNS.number))

    async def mark_read(self, owner: Owner, numbers: Sequence[int], *, at: datetime) -> None:
        """Note that these messages were read. The first time stays."""
        change = update(messages).where(*_theirs(owner), _COLUMNS.number.in_(numbers), _COLUMNS.read_at.is_(None))
        async with self._store.write() as connection:
            await connection.execute(change.values(read_at=to_ms(at)))

    async def standing(self, owner: Owner) -> Standing:
        """Return how an inbox stands."""
        newest = select(inboxes.c.newest).where(
            inboxes.c.tenant == owner.tenant, inboxes.c.recipient_id == owner.recipient_id
        )
        unread = select(func.count()).select_from(messages).where(*_theirs(owner), _COLUMNS.read_at.is_(None))
        async with self._store.read() as connection:
            return Standing(newest=await connection.scalar(newest) or 0, unread=await connection.scalar(unread) or 0)

    async def newest(self, owners: Sequence[Owner]) -> Mapping[Owner, int]:
        """Return the number of the newest message of each inbox that ever had one."""
        identity = tuple_(inboxes.c.tenant, inboxes.c.recipient_id)
        found: dict[Owner, int] = {}
        async with self._store.read() as connection:
            for start in range(0, len(owners), _AT_ONCE):
                query = select(inboxes).where(identity.in_(owners[start : start + _AT_ONCE]))
                for row in await connection.execute(query):
                    found[Owner(row.tenant, row.recipient_id)] = row.newest
        return found

    async def drop_older(self, moment: datetime, *, limit: int) -> int:
        """Delete messages that were put there before a moment, at most so many. Returns how many went."""
        old = select(_COLUMNS.delivery_id, _COLUMNS.life).where(_COLUMNS.created_at < to_ms(moment))
        identity = tuple_(_COLUMNS.delivery_id, _COLUMNS.life)
        chosen = old.order_by(_COLUMNS.created_at, _COLUMNS.delivery_id).limit(limit)
        async with self._store.write() as connection:
            found = [tuple(row) for row in await connection.execute(chosen)]
            if found:
                await connection.execute(delete(messages).where(identity.in_(sorted(found))))
        return len(found)

    async def _make_room(self, connection: AsyncConnection, newest: Mapping[Owner, int]) -> None:
        full = {owner: number - self._most for owner, number in sorted(newest.items()) if number > self._most}
        if full:
            surplus = [and_(*_theirs(owner), _COLUMNS.number <= number) for owner, number in full.items()]
            await connection.execute(delete(messages).where(or_(*surplus)))

    async def _read(self, query: Select[Any]) -> Sequence[InboxMessage]:
        async with self._store.read() as connection:
            return [_message(row) for row in await connection.execute(query)]


async def _numbered(connection: AsyncConnection, coming: Mapping[Owner, int]) -> dict[Owner, int]:
    """Give out the next numbers of these inboxes. Returns the last one of each.

    In the order of their keys: whoever writes to the same inboxes at the same time waits, and never in a circle.
    """
    rows = [{**owner._asdict(), "newest": count} for owner, count in sorted(coming.items())]
    statement = upsert.insert(connection, inboxes).values(rows)
    statement = statement.on_conflict_do_update(
        index_elements=["tenant", "recipient_id"],
        set_={"newest": inboxes.c.newest + statement.excluded.newest},
    )
    found = await connection.execute(statement.returning(*inboxes.c))
    return {Owner(row.tenant, row.recipient_id): row.newest for row in found}


def _theirs(owner: Owner) -> tuple[Any, ...]:
    return (_COLUMNS.tenant == owner.tenant, _COLUMNS.recipient_id == owner.recipient_id)


def _of(owner: Owner) -> Select[Any]:
    return select(messages).where(*_theirs(owner))


def _values(letter: Letter, life: int, *, number: int, now: int) -> dict[str, Any]:
    shown = letter.shown
    return {
        **letter.owner._asdict(),
        "number": number,
        "delivery_id": letter.delivery_id,
        "life": life,
        "notification_id": letter.notification_id,
        "category": shown.category,
        "title": shown.title,
        "body": shown.body,
        "url": shown.url,
        "icon": shown.icon,
        "data": shown.data,
        "created_at": now,
        "read_at": None,
    }


def _message(row: Row[Any]) -> InboxMessage:
    return InboxMessage(
        number=row.number,
        notification_id=row.notification_id,
        delivery_id=row.delivery_id,
        life=row.life,
        shown=Shown(category=row.category, title=row.title, body=row.body, url=row.url, icon=row.icon, data=row.data),
        created_at=from_ms(row.created_at),
        read_at=None if row.read_at is None else from_ms(row.read_at),
    )
