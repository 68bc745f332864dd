"""The ledger in PostgreSQL: a submit is one in several processes, and what was cut off is completed by its repeat."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.integration.postgres_ledger.sharing import SUBMIT_LEASE, Gateways, Gone, submission
from tests.support import postgres
from tests.support.clock import ManualClock
from tocsin.errors import LogFull, LogUnavailable
from tocsin.ledger.port import Accepted, InProgress, Repeated

pytestmark = postgres.GROUP


async def test_a_submit_in_two_processes_at_once_is_one(real: Gateways) -> None:
    patient = replace(real, config=replace(real.config, patience=timedelta(seconds=60)))
    ledgers = [(await patient.start())[0] for _ in range(2)]
    now = real.clock.now()

    async def submit(number: int) -> object:
        [answer] = await ledgers[number % 2].submit([submission(b"%d" % number, now)])
        return answer

    answers = await asyncio.gather(*map(submit, range(100)))
    first = answers.index(Accepted())

    assert answers.count(Accepted()) == 1
    assert answers.count(Repeated(answer=b"answer to %d" % first)) == 99
    assert await real.written() == [b"%d" % first]


async def test_batches_that_share_keys_in_two_processes_do_not_wait_for_each_other(real: Gateways) -> None:
    patient = replace(real, config=replace(real.config, patience=timedelta(seconds=60)))
    ledgers = [(await patient.start())[0] for _ in range(2)]
    now = real.clock.now()
    batch = [submission(b"%d" % n, now, key=f"{n}") for n in range(50)]
    answers = await asyncio.gather(
        ledgers[0].submit(batch),
        ledgers[1].submit(batch[::-1]),
        ledgers[0].submit(batch[20:]),
        ledgers[1].submit(batch),
    )
    flat = [answer for each in answers for answer in each]

    assert flat.count(Accepted()) == 50
    assert sum(isinstance(answer, Repeated) for answer in flat) == 130
    assert sorted(await real.written()) == sorted(b"%d" % n for n in range(50))


@pytest.mark.parametrize("landed", [False, True])
async def test_a_submit_that_was_cut_off_is_completed_by_its_repeat(
    made: Gateways, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, landed: bool
) -> None:
    """The repeat comes with ids of its own; what was claimed first is what is written, and answered."""
    crashing, publisher = await made.start()
    (publisher.after if landed else publisher.before).append(Gone())
    monkeypatch.setattr(crashing._intake._batches, "tell", lambda _: None)  # It is gone by then.
    with pytest.raises(Gone):
        await crashing.submit([submission(b"first", clock.now())])
    other, _ = await made.start()
    assert await other.submit([submission(b"second", clock.now())]) == [InProgress()]
    clock.advance(SUBMIT_LEASE)

    assert await other.submit([submission(b"third", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await other.submit([submission(b"fourth", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await made.written() == [b"first"] * (2 if landed else 1)


async def test_a_submit_that_the_log_refused_is_completed_by_the_next_without_waiting(
    made: Gateways, clock: ManualClock
) -> None:
    ledger, publisher = await made.start()
    publisher.before.append(LogUnavailable("no"))
    with pytest.raises(LogUnavailable):
        await ledger.submit([submission(b"first", clock.now())])

    assert await ledger.submit([submission(b"second", clock.now())]) == [Repeated(answer=b"answer to first")]
    assert await made.written() == [b"first"]


async def test_submits_that_wait_for_one_that_fails_are_served_by_the_next(made: Gateways, clock: ManualClock) -> None:
    patient = replace(made, config=replace(made.config, patience=timedelta(seconds=5)))
    ledger, publisher = await patient.start()
    publisher.before.append(LogUnavailable("no"))
    answers = await asyncio.gather(
        *(ledger.submit([submission(b"%d" % n, clock.now())]) for n in range(5)), return_exceptions=True
    )

    assert isinstance(answers[0], LogUnavailable)
    assert answers[1:] == [[Repeated(answer=b"answer to 0")]] * 4
    assert await made.written() == [b"0"]


async def test_a_log_that_takes_no_new_work_takes_no_submit(
    made: Gateways, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger, _ = await made.start()
    full = replace(made.log.health(), accepting=False, detail="too much")
    monkeypatch.setattr(made.log, "health", lambda: full)
    with pytest.raises(LogFull, match="too much"):
        await ledger.submit([submission(b"a", clock.now())])
