"""The loop on a real log: each request becomes one notification or one dead letter, whatever happens on the way."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from producer.check import Checker
from producer.requests import Requests
from producer.submit import Item, Result, Taken
from tests.support.requesting import DOCUMENT, MAX_BYTES, Requesting, bare, binary, requesting, structured
from tests.support.waiting import until
from tocsin import deadletter, delivery, schemas, topics
from tocsin.deadletter import Reason
from tocsin.delivery import TENANT, Lane
from tocsin.errors import LogFull, LogUnavailable, StoreUnavailable
from tocsin.eventlog.port import Subscription
from tocsin.ledger.port import InProgress
from tocsin.lifecycle import Event
from tocsin.record import Record, header
from tocsin.validation import Schema

EMAILS = topics.delivery("email", Lane.NORMAL)
NOT_JSON = bare(b"\xff not json", headers=(("x-note", b"\xfe"),), key=b"k\xff")


@pytest.fixture
async def world(tmp_path: Path, schema: Schema, checker: Checker) -> AsyncIterator[Requesting]:
    async with requesting(tmp_path, schema=schema, checker=checker) as made:
        yield made


def letter_id(record: Any) -> str:
    """Return the id under which a dead letter's record is kept."""
    return deadletter.letter_id(deadletter.life_of(record.headers), deadletter.read(record).origin)


async def test_each_mode_becomes_a_notification(world: Requesting) -> None:
    await world.take(bare(), binary(id="a"), structured(id="b"))
    events = await world.events()

    assert [event.type for event in events] == [Event.ACCEPTED] * 3
    assert len({event.notification_id for event in events}) == 3
    assert len(await world.read(EMAILS)) == 3
    assert (world.count("accepted"), world.count("refused")) == (3, 0)
    assert world.metrics.registry.get_sample_value("tocsin_notifications_total") == 3
    assert world.loop.healthy


async def test_an_event_that_comes_again_is_one_notification(world: Requesting) -> None:
    await world.take(binary(), structured(), binary())
    await world.take(binary())

    assert len(await world.events()) == 1
    assert (world.count("accepted"), world.count("repeated")) == (1, 3)


async def test_a_key_is_the_same_over_http_and_over_the_log(world: Requesting) -> None:
    [first] = await world.submitter.submit(TENANT, [Item(document=DOCUMENT, size=100, key="order-1001")])
    await world.take(bare(headers=(("idempotency-key", b"order-1001"),)))

    assert isinstance(first, Taken)
    assert len(await world.events()) == 1
    assert world.count("repeated") == 1


async def test_bare_requests_without_a_key_are_each_their_own(world: Requesting) -> None:
    await world.take(bare(key=b"same"), bare(key=b"same"))

    assert len({event.notification_id for event in await world.events()}) == 2


async def test_what_is_not_committed_comes_again_and_is_sent_once(
    world: Requesting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A crash after the submits and the dead letters, and before the commit."""

    async def crashed(_loop: Requests, _subscription: Subscription) -> None:
        pass

    with monkeypatch.context() as patched:
        patched.setattr(Requests, "_tell_log", crashed)
        await world.write(bare(), binary(), NOT_JSON)
        world.start()
        await until(lambda: world.count("refused") == 1 and world.count("accepted") == 2, what="the first run")
        await world.stop()
    assert world.done == 0
    world.start(await world.again())
    await until(lambda: world.done == 3, what="the second run")
    events = await world.events()
    letters = await world.read(topics.REQUESTS_DLQ)

    assert len(await world.read(EMAILS)) == 2
    assert [event.type for event in events].count(Event.ACCEPTED) == 2
    assert world.count("repeated") == 2
    # The letter was written twice, and is one: as is the event.
    assert len(letters) == 2
    assert len({letter_id(letter) for letter in letters}) == 1
    assert len({event.id for event in events if event.type is Event.REQUEST_REFUSED}) == 1


@pytest.mark.parametrize("torn", [False, True])
@pytest.mark.parametrize("error", [LogFull("full"), LogUnavailable("no disk"), StoreUnavailable("no database")])
async def test_while_the_log_takes_no_work_nothing_is_passed(
    world: Requesting, error: Exception, *, torn: bool
) -> None:
    world.ledger.failing, world.ledger.torn = [error, error], torn
    await world.write(bare(), NOT_JSON, binary())
    world.start()
    await until(lambda: not world.loop.healthy, what="the loop to notice")
    detail = world.loop.detail

    assert world.done == 0
    assert detail == str(error)
    await until(world.clock.next_due, what="the pause")
    while world.done < 3:
        world.clock.advance(timedelta(seconds=1))
        await asyncio.sleep(0)
    await until(lambda: world.loop.healthy, what="the loop to recover")
    assert world.loop.healthy
    assert len(await world.read(EMAILS)) == 2
    assert len(await world.read(topics.REQUESTS_DLQ)) == 1


async def test_a_loop_that_waits_for_the_log_stops_at_once_and_the_next_one_goes_on(world: Requesting) -> None:
    world.ledger.failing = [LogFull("full")]
    await world.write(bare())
    world.start()
    await until(lambda: not world.loop.healthy, what="the loop to notice")
    await world.stop()

    assert world.done == 0
    world.start(await world.again())
    await until(lambda: world.done == 1, what="the next loop")
    assert len(await world.events()) == 1


async def test_a_key_whose_first_submit_has_not_ended_is_asked_for_again(world: Requesting) -> None:
    world.ledger.answers = [[InProgress()]]
    await world.write(binary())
    world.start()
    await until(lambda: not world.loop.healthy, what="the loop to wait")
    world.clock.advance(timedelta(seconds=1))
    await until(lambda: world.done == 1, what="the second try")

    assert world.count("accepted") == 1
    assert await world.read(topics.REQUESTS_DLQ) == []


async def test_a_refused_request_is_a_dead_letter_byte_for_byte_and_an_event(world: Requesting) -> None:
    await world.take(NOT_JSON)
    [letter] = await world.read(topics.REQUESTS_DLQ)
    [event] = await world.events()

    assert (letter.key, letter.value) == (NOT_JSON.key, NOT_JSON.value)
    assert letter.headers[:1] == NOT_JSON.headers
    assert deadletter.read(letter).reason == Reason.UNDECODABLE
    assert event.type is Event.REQUEST_REFUSED
    assert event.data["reason"] == "undecodable"
    assert event.data["dead_letter_id"] == letter_id(letter)
    assert event.data["record"]["topic"] == topics.REQUESTS
    assert schemas.load("audit-event").faults(msgspec.to_builtins(event)) == ()


@pytest.mark.parametrize(("make", "base"), [(binary, ""), (structured, "/data")])
async def test_faults_are_told_with_their_place_in_the_record(world: Requesting, make: Any, base: str) -> None:
    await world.take(make({**DOCUMENT, "channels": ["pigeon"], "recipient": {"emial": "x"}}))
    [event] = await world.events()

    assert [error["pointer"] for error in event.data["errors"]] == [f"{base}/channels/0", f"{base}/recipient/emial"]
    assert event.data["event"] == {"source": "/shop", "id": "1001"}
    assert event.data["reason"] == "invalid"


@pytest.mark.parametrize("address", ["nobody", "bounced@magic.invalid"])
async def test_what_only_the_checker_sees_is_refused_as_well(world: Requesting, address: str) -> None:
    """Magic recipients too: whoever writes to the log has no test key."""
    await world.take(structured({**DOCUMENT, "recipient": {"email": address}}))
    [event] = await world.events()

    assert [error["pointer"] for error in event.data["errors"]] == ["/data/recipient/email"]


async def test_an_event_whose_key_had_another_body_is_a_dead_letter(world: Requesting) -> None:
    await world.take(binary())
    await world.take(binary({**DOCUMENT, "category": "other"}))
    [letter] = await world.read(topics.REQUESTS_DLQ)

    assert deadletter.read(letter).reason == Reason.KEY_REUSED
    assert len(await world.read(EMAILS)) == 1


async def test_a_poison_record_holds_nobody_up(world: Requesting) -> None:
    poison = [NOT_JSON, bare(b""), binary(type="x"), bare({"recipient": {}}), bare(b"[" * 50_000)]
    await world.take(*(record for each in poison for record in (each, bare())))

    assert len(await world.read(EMAILS)) == len(poison)
    assert (world.count("accepted"), world.count("refused")) == (len(poison), len(poison))


async def test_headers_that_look_like_ours_do_not_make_a_dead_request_somebodys_life(world: Requesting) -> None:
    mine = ("dlv_" + "0" * 26).encode()
    await world.take(bare(b"{", headers=(("ce_id", mine), ("tocsin-life", b"0"), ("tocsin-reason", b"rejected"))))
    [letter] = await world.read(topics.REQUESTS_DLQ)

    assert deadletter.life_of(letter.headers) is None
    assert deadletter.read(letter).reason == Reason.BROKEN_HEADERS
    assert header(letter.headers, "ce_id") == mine


async def test_what_is_too_large_to_be_kept_is_told_of_without_its_bytes(
    tmp_path: Path, schema: Schema, checker: Checker
) -> None:
    async with requesting(tmp_path, schema=schema, checker=checker, max_record_bytes=MAX_BYTES + 1000) as world:
        await world.take(bare(b" " * (MAX_BYTES + 1)), bare(b" " * (MAX_BYTES + 900)), bare())
        letters = {deadletter.read(each).origin.offset: each for each in await world.read(topics.REQUESTS_DLQ)}
        sizes = sorted(len(each.value) for each in await world.read(topics.REQUESTS_DLQ))

        assert sizes == [0, MAX_BYTES + 1]
        assert {deadletter.read(each).reason for each in letters.values()} == {"too_large"}
        assert len(await world.read(EMAILS)) == 1


async def test_a_bug_costs_its_record_only(world: Requesting, monkeypatch: pytest.MonkeyPatch) -> None:
    submit = world.submitter.submit

    async def buggy(tenant: str, items: Sequence[Item]) -> Sequence[Result]:
        if any(item.document.get("category") == "bug" for item in items):
            raise ZeroDivisionError
        return await submit(tenant, items)

    monkeypatch.setattr(world.submitter, "submit", buggy)
    await world.take(*(bare({**DOCUMENT, "category": "bug"} if number == 5 else DOCUMENT) for number in range(12)))
    [letter] = await world.read(topics.REQUESTS_DLQ)

    assert deadletter.read(letter).reason == Reason.HANDLER_ERROR
    assert len(await world.read(EMAILS)) == 11


async def test_time_to_live_counts_from_when_the_log_took_the_request(world: Requesting) -> None:
    asked = world.clock.now()
    soon = (asked + timedelta(hours=1)).isoformat()
    await world.write(bare({**DOCUMENT, "expires_in": 3600}), bare({**DOCUMENT, "expires_at": soon}))
    world.clock.advance(timedelta(hours=2))
    await world.take()
    bodies = [delivery.decode(record.value) for record in await world.read(EMAILS)]

    assert {body.expires_at for body in bodies} == {asked + timedelta(hours=1)}
    assert {body.accepted_at for body in bodies} == {asked + timedelta(hours=2)}
    assert await world.read(topics.REQUESTS_DLQ) == []


async def test_partitions_that_go_to_another_producer_are_taken_once_and_to_the_end(world: Requesting) -> None:
    records: list[Record] = [bare(key=b"%d" % number) for number in range(400)]
    await world.write(*records[:200])
    world.start()
    await until(lambda: world.done > 0, what="the first to begin")
    world.start(await world.again())
    await world.take(*records[200:300])
    first, task = world.tasks.pop(0)
    first.stop()
    await task
    await world.take(*records[300:])
    events = await world.events()

    assert len(events) == len({event.notification_id for event in events}) == 400


async def test_large_requests_are_taken_a_few_at_a_time(world: Requesting, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    submit = world.submitter.submit

    async def measured(tenant: str, items: Sequence[Item]) -> Sequence[Result]:
        sizes.append(sum(item.size for item in items))
        return await submit(tenant, items)

    monkeypatch.setattr(world.submitter, "submit", measured)
    text = "x" * 200_000
    large = {**DOCUMENT, "content": {"email": {"subject": "s", "text": text}}}
    await world.take(*(bare(large) for _ in range(12)))

    assert len(await world.read(EMAILS)) == 12
    assert max(sizes) <= 1024 * 1024


async def test_a_commit_that_fails_is_made_up_for(world: Requesting, monkeypatch: pytest.MonkeyPatch) -> None:
    world.start()
    commit, failing = world.log.commit, [LogUnavailable("no disk")]

    async def failing_once(*args: Any) -> None:
        if failing:
            raise failing.pop()
        await commit(*args)

    monkeypatch.setattr(world.log, "commit", failing_once)
    await world.write(bare())
    await until(lambda: not world.loop.healthy, what="the commit to fail")
    world.clock.advance(timedelta(seconds=1))
    await until(lambda: world.done == 1, what="the commit to be made up for")

    assert world.count("accepted") == 1
