"""Gateways that share a PostgreSQL which crashes while they work, and which crash themselves: nothing is lost."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

from tests.support import postgres
from tests.support.logs import NOW, embedded_config, reading
from tests.support.postgres import Server, own_server
from tests.support.waiting import until
from tocsin.errors import LogUnavailable
from tocsin.eventlog.embedded.log import open_log
from tocsin.eventlog.port import EventLog, Publisher
from tocsin.ledger.port import Accepted, AttemptKey, Granted, Ledger, Repeated, Settlement, Submission, SubmitClaim
from tocsin.ledger.postgres import PostgresLedgerConfig, open_ledger
from tocsin.lifecycle import State
from tocsin.observe.metrics import Metrics
from tocsin.record import Record, Source
from tocsin.runtime.clock import SystemClock
from tocsin.store.engine import open_store
from tocsin.store.migrate import upgrade
from tocsin.store.postgres import PostgresConfig
from tocsin.topics import TopicSpec

__all__ = ["own_server"]

pytestmark = postgres.GROUP

TOPIC = "notifications.test"
CONFIG = PostgresLedgerConfig(
    lease=timedelta(seconds=0.3), submit_lease=timedelta(seconds=0.3), patience=timedelta(seconds=5)
)
DELIVERIES = 300
# Of these, between two crashes.
BETWEEN = 40
KEYS = 100


class Faulty:
    """A way to the log that fails now and then: before the write, or after it."""

    def __init__(self, publisher: Publisher, chance: random.Random) -> None:
        self._publisher = publisher
        self._chance = chance

    async def write(self, records: Sequence[Record]) -> None:
        fate = self._chance.random()
        if fate < 0.1:
            raise LogUnavailable("before")
        await self._publisher.write(records)
        if fate > 0.9:
            raise LogUnavailable("after")


def record(value: str) -> Record:
    return Record(topic=TOPIC, key=b"k", value=value.encode())


async def deliver(ledgers: Sequence[Ledger], number: int, chance: random.Random) -> str:
    """Bring a record to its end as its readers would, however often it has to be read; return who ended it."""
    key, source = AttemptKey(f"dlv_{number}", 0, 1), Source("notifications.email", 0, number)
    while True:
        ledger = chance.choice(ledgers)
        try:
            if not isinstance(await ledger.claim(key, source, durable=chance.random() < 0.5), Granted):
                return "settled before"
            if chance.random() < 0.1:
                continue  # Its reader is gone, and another reads it.
            ended = f"{key.delivery_id} {uuid4().hex}"
            settlement = Settlement(
                source=source, records=(record(ended),), key=key, life=key[:2], terminal=State.DELIVERED
            )
            if await ledger.settle(settlement):
                return ended
        except LogUnavailable:
            await asyncio.sleep(0.01)


async def submit(ledgers: Sequence[Ledger], number: int, chance: random.Random) -> bytes:
    """Submit under one key until there is an answer; return it."""
    clock = SystemClock()
    claim = SubmitClaim(tenant="t", key=f"{number}", fingerprint=b"body", expires_at=clock.now() + timedelta(hours=1))
    while True:
        own = f"key_{number} {uuid4().hex}"
        try:
            [answer] = await chance.choice(ledgers).submit(
                [Submission(records=(record(own),), answer=own.encode(), claim=claim)]
            )
        except LogUnavailable:
            await asyncio.sleep(0.01)
            continue
        if isinstance(answer, Accepted):
            return own.encode()
        if isinstance(answer, Repeated):
            return answer.answer


async def crash(
    server: Server, working: "asyncio.Future[list[tuple[str, list[bytes]]]]", over: Callable[[], int]
) -> int:
    """Crash the server again and again while the gateways work; return how often.

    Each time once some more is `over`: on a slow machine nothing would ever be done between crashes that wait less.
    """
    crashes = 0
    while True:
        enough = over() + BETWEEN
        await until(lambda: over() >= enough or working.done(), what="some work", seconds=60)  # noqa: B023
        if working.done():
            break
        await asyncio.to_thread(server.crash)
        await asyncio.to_thread(server.start)
        crashes += 1
    return crashes


async def written(log: EventLog) -> Counter[str]:
    found: Counter[str] = Counter()
    async with reading(log, TOPIC, group="look") as subscription:
        while records := await subscription.fetch(limit=1000, wait=NOW):
            found.update(each.value.decode() for each in records)
    return found


async def test_nothing_is_lost_and_each_ends_once(own_server: Server, tmp_path: Path) -> None:
    chance, clock = random.Random(1), SystemClock()
    async with AsyncExitStack() as stack:
        log = await stack.enter_async_context(
            open_log(embedded_config(tmp_path), clock=clock, metrics=Metrics(version="test"))
        )
        await log.ensure_topics([TopicSpec(name=TOPIC, kind="delivery")])
        ledgers: list[Ledger] = []
        for _ in range(3):
            config = PostgresConfig(command_timeout=timedelta(seconds=5))
            store = await stack.enter_async_context(open_store(own_server.url, config=config))
            await upgrade(store)
            publisher = Faulty(await stack.enter_async_context(log.publisher()), chance)
            opened = open_ledger(
                store=store, log=log, publisher=publisher, clock=clock, config=CONFIG, owner=uuid4().hex
            )
            ledgers.append(await stack.enter_async_context(opened))
        room, over = asyncio.Semaphore(10), list[int]()

        async def work(number: int) -> tuple[str, list[bytes]]:
            async with room:
                ended = await deliver(ledgers, number, chance)
                answers = await asyncio.gather(*(submit(ledgers, number % KEYS, chance) for _ in range(2)))
                over.append(number)
                return ended, answers

        working = asyncio.gather(*map(work, range(DELIVERIES)))
        crashes = await crash(own_server, working, lambda: len(over))
        done = await working
        found = await written(log)

    assert crashes > 2
    ends = Counter(value.split()[0] for value in found if value.startswith("dlv_"))
    assert ends == Counter({f"dlv_{number}": 1 for number in range(DELIVERIES)})
    submits = Counter(value.split()[0] for value in found if value.startswith("key_"))
    assert submits == Counter({f"key_{number}": 1 for number in range(KEYS)})
    assert {answer.decode() for _, answers in done for answer in answers} == {v for v in found if v.startswith("key_")}
