"""The ledger in PostgreSQL: what it has of a settlement and the log has not is written when its source comes again."""

import pytest

from tests.integration.postgres_ledger.sharing import (
    HERE,
    KEY,
    THERE,
    Gateways,
    Gone,
    expired,
    record,
    retrying,
    submission,
)
from tests.support import postgres
from tests.support.clock import ManualClock
from tocsin.errors import LogError, LogUnavailable
from tocsin.ledger.port import Accepted, Forked, Settled, Settlement

pytestmark = postgres.GROUP


@pytest.mark.parametrize("landed", [False, True])
async def test_the_records_of_a_settlement_that_was_cut_off_are_written_when_its_source_comes_again(
    made: Gateways, landed: bool
) -> None:
    crashing, publisher = await made.start()
    await crashing.claim(KEY, HERE, durable=False)
    (publisher.after if landed else publisher.before).append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(retrying())
    other, _ = await made.start()
    assert await other.claim(KEY, THERE, durable=True) == Forked()

    assert await other.claim(KEY, HERE, durable=True) == Settled()
    await other._settlements.close()  # the note that the log has it is gathered with others
    assert await other.claim(KEY, HERE, durable=True) == Settled()
    assert await made.written() == [b"retry"] * (2 if landed else 1)


async def test_an_end_without_an_attempt_that_was_cut_off_is_completed_by_the_same_source_only(made: Gateways) -> None:
    crashing, publisher = await made.start()
    publisher.before.append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(expired(b"first"))
    other, _ = await made.start()

    assert not await other.settle(expired(b"fork", source=THERE))
    assert await other.settle(expired(b"second"))
    assert not await other.settle(expired(b"third"))
    assert await made.written() == [b"first"]


async def test_a_settlement_that_was_cut_off_is_completed_before_another_end_of_its_source(made: Gateways) -> None:
    """Read again after its expiry, a record ends otherwise than it was settled; the attempt's event is not lost."""
    crashing, publisher = await made.start()
    publisher.before.append(Gone())
    with pytest.raises(Gone):
        await crashing.settle(retrying())
    other, _ = await made.start()

    assert await other.settle(expired())
    assert await made.written() == [b"retry", b"expired"]


async def test_a_settlement_that_the_log_refused_may_be_given_again(made: Gateways) -> None:
    ledger, publisher = await made.start()
    await ledger.claim(KEY, HERE, durable=True)
    publisher.before.extend([LogUnavailable("no"), LogUnavailable("no")])
    for _ in range(2):
        with pytest.raises(LogUnavailable):
            await ledger.settle(retrying())

    assert await ledger.settle(retrying())
    assert not await ledger.settle(retrying())
    assert await made.written() == [b"retry"]


async def test_what_the_log_will_never_take_settles_nothing_and_keeps_no_key(
    made: Gateways, clock: ManualClock
) -> None:
    ledger, publisher = await made.start()
    await ledger.claim(KEY, HERE, durable=True)
    publisher.before.extend([LogError("too large"), LogError("too large")])
    with pytest.raises(LogError, match="too large"):
        await ledger.settle(retrying(b"large"))
    with pytest.raises(LogError, match="too large"):
        await ledger.submit([submission(b"large", clock.now())])

    assert await ledger.settle(retrying(b"small"))
    assert await ledger.submit([submission(b"new", clock.now(), body=b"other")]) == [Accepted()]
    assert await made.written() == [b"small", b"new"]


async def test_what_concerns_no_life_needs_no_database(made: Gateways) -> None:
    ledger, _ = await made.start()
    undecodable = Settlement(source=HERE, records=(record(b"dead"),))

    assert await ledger.settle(undecodable)
    assert await made.written() == [b"dead"]
