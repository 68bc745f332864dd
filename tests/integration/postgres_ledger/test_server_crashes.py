"""The ledger in PostgreSQL: a crash of its server costs nothing that was settled."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from tests.integration.postgres_ledger.sharing import DELIVERY, HERE, KEY, THERE, Gateways, retrying, submission
from tests.support import postgres
from tests.support.postgres import Server
from tocsin.errors import LogUnavailable
from tocsin.ledger.port import Accepted, AttemptKey, Granted, Settled
from tocsin.record import Record

pytestmark = postgres.GROUP


async def test_a_crash_of_the_server_costs_nothing_that_was_settled(fragile: Gateways, own_server: Server) -> None:
    ledger, _ = await fragile.start()
    now = fragile.clock.now()
    await ledger.claim(KEY, HERE, durable=True)
    assert await ledger.settle(retrying())
    await ledger._settlements.close()
    second = AttemptKey(DELIVERY, 0, 2)
    await ledger.claim(second, THERE, durable=False)
    own_server.crash()
    with pytest.raises(LogUnavailable):
        await ledger.settle(retrying(b"second", key=second, source=THERE))
    with pytest.raises(LogUnavailable):
        await ledger.claim(AttemptKey(DELIVERY, 1, 1), HERE, durable=True)
    with pytest.raises(LogUnavailable):
        await ledger.submit([submission(b"a", now)])
    with pytest.raises(LogUnavailable):
        await ledger.forget(older_than=timedelta(days=1))
    assert await fragile.written() == [b"retry"]
    own_server.start()

    # Whether that claim was kept or not, it is this process's own, and no takeover.
    assert await ledger.claim(AttemptKey(DELIVERY, 1, 1), HERE, durable=True) == Granted(takeovers=0)
    assert await ledger.settle(retrying(b"second", key=second, source=THERE))
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    assert await ledger.submit([submission(b"a", now)]) == [Accepted()]
    assert await fragile.written() == [b"retry", b"second", b"a"]


async def test_a_server_that_goes_between_the_log_and_the_note_takes_nothing_back(
    fragile: Gateways, own_server: Server
) -> None:
    ledger, publisher = await fragile.start()
    inner = publisher.publisher

    class Crashing:
        async def write(self, records: Sequence[Record]) -> None:
            await inner.write(records)
            own_server.crash()

    publisher.publisher = Crashing()
    assert await ledger.settle(retrying())
    await ledger._settlements.close()
    own_server.start()
    publisher.publisher = inner

    # The note is lost, so the same records come once more where the source comes again.
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    await ledger._settlements.close()
    assert await ledger.claim(KEY, HERE, durable=True) == Settled()
    assert await fragile.written() == [b"retry", b"retry"]
