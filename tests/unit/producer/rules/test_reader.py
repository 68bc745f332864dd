"""Events in the loop that reads the log: letters with the rules' names, and their replays."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from producer.check import Checker
from producer.request import Ask, Refusal
from producer.requests import Intake, Requests
from producer.rules import book as books
from producer.rules.book import RuleBook
from producer.rules.reader import EventReader, ReplayReader
from producer.rules.vocabulary import Vocabulary
from producer.tallies import RequestTally
from tests.support import ruling
from tests.support.requesting import MAX_BYTES, Requesting, bare, intake, requesting
from tests.support.ruling import CONFIRMATION, WORDS, binary, event, folder, order
from tests.support.waiting import until
from tocsin import deadletter, schemas, topics
from tocsin.deadletter import REPLAY_OF, RULE
from tocsin.lifecycle import AuditEvent, Event
from tocsin.record import Partition, Received, Record, header
from tocsin.validation import Schema

UNUSABLE = order("1", customer={"id": "c"})


@pytest.fixture
def book(tmp_path: Path, vocabulary: Vocabulary) -> RuleBook:
    return books.opened(folder(tmp_path / "rules", a=CONFIRMATION, b=WORDS), vocabulary, required=True)


@pytest.fixture
async def world(tmp_path: Path, schema: Schema, checker: Checker, book: RuleBook) -> AsyncIterator[Requesting]:
    """A loop that reads a topic of events, and one that reads requests with replays among them."""
    async with requesting(tmp_path / "data", schema=schema, checker=checker) as made:
        await made.log.ensure_topics(topics.of_events([ruling.TOPIC]))
        reader = EventReader(book, max_bytes=MAX_BYTES)
        requests = intake(made.log, made.metrics)
        events = replace(
            requests, name="rules", topics=[ruling.TOPIC], group=topics.rules_group(), reader=reader, at_once=2
        )
        tally = RequestTally(made.metrics, knows=reader.knows)
        async with made.log.publisher() as publisher:
            for each in (events, replace(requests, reader=ReplayReader(requests.reader, reader), tally=tally)):
                made.start(_loop(made, publisher, each))
            yield made
            await made.stop()


def _loop(world: Requesting, publisher: object, found: Intake) -> Requests:
    return Requests(
        found,
        log=world.log,
        publisher=publisher,  # type: ignore[arg-type]  # the log's own, which is no name of the port
        submitter=world.submitter,
        clock=world.clock,
        max_record_bytes=world.max_record_bytes,
    )


async def taken(world: Requesting, *records: Record, group: str) -> None:
    """Write records, and return once all that was written for a group is committed."""
    await world.write(*records)
    topic = ruling.TOPIC if group == topics.rules_group() else topics.REQUESTS

    def done() -> bool:
        places = [Partition(topic, number) for number in range(8)]
        return all(world.log.committed(group, place) == world.log.tail(place) for place in places)

    await until(done, what="the records to be committed")


async def refusals(world: Requesting) -> list[AuditEvent]:
    return [each for each in await world.events() if each.type is Event.REQUEST_REFUSED]


def letter_id(letter: Received) -> str:
    told = deadletter.read(letter)
    return deadletter.letter_id(None, told.origin, rule=told.rule)


def replayed(letter: Received) -> Record:
    """Return the record that a replay of a letter puts back."""
    kept = tuple(pair for pair in letter.headers if not pair[0].startswith("tocsin-") or pair[0] == RULE)
    return Record(topic=topics.REQUESTS, key=letter.key, value=letter.value, headers=(*kept, (REPLAY_OF, b"dlt_1")))


async def test_each_rule_that_cannot_use_an_event_leaves_a_letter_and_an_event_of_its_own(world: Requesting) -> None:
    await taken(world, binary(event("1", data=UNUSABLE)), group=topics.rules_group())
    letters = {deadletter.read(each).rule: each for each in await world.read(topics.REQUESTS_DLQ)}
    told = {each.data["rule"]: each for each in await refusals(world)}

    assert set(letters) == set(told) == {"confirmation", "words"}
    assert len({letter_id(each) for each in letters.values()}) == len({each.id for each in told.values()}) == 2
    for rule, each in told.items():
        assert each.data["dead_letter_id"] == letter_id(letters[rule])
        assert each.data["event"] == {"source": "/shop/orders", "id": "1"}
        assert schemas.load("audit-event").faults(msgspec.to_builtins(each)) == ()
        assert letters[rule].value == binary(event("1", data=UNUSABLE)).value
    assert [error["pointer"] for error in told["confirmation"].data["errors"]] == ["/recipient/email"]
    assert deadletter.read(letters["words"]).message.startswith("rule words: /content/email must have text or html")


async def test_a_record_that_is_no_event_is_a_letter_in_the_name_of_all_rules(world: Requesting) -> None:
    poison = Record(topic=ruling.TOPIC, key=None, value=b"\xff")
    unread = replace_value(binary(event("2")), b"{")
    await taken(world, poison, unread, binary(event("3")), group=topics.rules_group())
    letters = await world.read(topics.REQUESTS_DLQ)

    names = sorted((deadletter.read(each).rule, deadletter.read(each).reason) for each in letters)
    assert names == [("*", "broken_headers"), ("*", "undecodable"), ("words", "invalid")]
    assert world.metrics.registry.get_sample_value("tocsin_notifications_total") == 1


async def test_a_replay_runs_the_rule_that_it_names_and_no_other(
    world: Requesting, book: RuleBook, tmp_path: Path
) -> None:
    await taken(world, binary(event("1", data=order("1"))), group=topics.rules_group())
    [letter] = await world.read(topics.REQUESTS_DLQ)
    folder(tmp_path / "rules", b=WORDS.replace("data.note", "'mended'"))
    files = book.files()
    assert files is not None
    book.read(files)
    await taken(world, replayed(letter), replayed(letter), bare(), group=topics.intake_group())

    assert deadletter.read(letter).rule == "words"
    accepted = [each for each in await world.events() if each.type is Event.ACCEPTED]
    assert len(accepted) == 3  # the rule that could use it, the replay, and a request
    assert len(await world.read(topics.REQUESTS_DLQ)) == 1


@pytest.mark.parametrize(
    ("change", "told"), [('name = "words"', "is not there"), ('type = "OrderPlaced"', "does not match the event")]
)
async def test_a_replay_of_a_rule_that_is_not_for_it_any_more_is_another_letter(
    world: Requesting, book: RuleBook, tmp_path: Path, change: str, told: str
) -> None:
    await taken(world, binary(event("1")), group=topics.rules_group())
    [letter] = await world.read(topics.REQUESTS_DLQ)
    folder(tmp_path / "rules", b=WORDS.replace(change, change.split("=", maxsplit=1)[0] + '= "other"'))
    files = book.files()
    assert files is not None
    book.read(files)
    await taken(world, replayed(letter), group=topics.intake_group())
    [_, again] = await world.read(topics.REQUESTS_DLQ)

    assert deadletter.read(again).message == f"rule words: The rule {told} any more."
    assert header(again.headers, RULE) == b"words"
    assert letter_id(again) != letter_id(letter)


def replace_value(record: Record, value: bytes) -> Record:
    return msgspec.structs.replace(record, value=value)


@pytest.mark.parametrize("name", [b"ada@example.test", b"x" * 65, b"", b"\xff"])
async def test_what_names_no_rule_could_have_is_told_nowhere(world: Requesting, name: bytes) -> None:
    record = msgspec.structs.replace(binary(event("1")), topic=topics.REQUESTS)
    await world.take(msgspec.structs.replace(record, headers=(*record.headers, (RULE, name))))
    [letter] = await world.read(topics.REQUESTS_DLQ)
    [told] = await refusals(world)

    assert deadletter.read(letter).message == "header tocsin-rule is not the name of a rule"
    assert header(letter.headers, RULE) is None
    assert "rule" not in told.data


async def test_a_rule_that_is_not_there_has_no_metric(world: Requesting) -> None:
    record = msgspec.structs.replace(binary(event("1")), topic=topics.REQUESTS)
    names = (b"anything", b"words")
    await world.take(*(msgspec.structs.replace(record, headers=(*record.headers, (RULE, name))) for name in names))
    letters = await world.read(topics.REQUESTS_DLQ)
    samples = [each for family in world.metrics.registry.collect() for each in family.samples]

    assert {header(each.headers, RULE) for each in letters} == set(names)
    assert {each.labels["rule"] for each in samples if "rule" in each.labels} == {"words"}


async def test_an_event_that_we_fail_at_is_a_letter_that_its_replay_is_read_by(book: RuleBook) -> None:
    book.rules = [None]  # type: ignore[list-item]  # a bug
    written = binary(event("1"))
    received = Received(
        place=Partition(ruling.TOPIC, 0),
        offset=0,
        key=None,
        value=written.value,
        headers=written.headers,
        timestamp=datetime(2026, 1, 1, tzinfo=UTC),
    )
    [ask] = EventReader(book, max_bytes=MAX_BYTES).asks(received)

    assert isinstance(ask, Refusal)
    assert (ask.reason, ask.rule) == (deadletter.Reason.HANDLER_ERROR, deadletter.EVERY_RULE)


async def test_others_get_their_turn_between_two_events(world: Requesting) -> None:
    await world.log.ensure_topics(topics.of_events(["other"]))
    await world.write(*(Record(topic="other", key=b"k", value=b"{}") for _ in range(9)))
    turns = Turns()
    found = replace(intake(world.log, world.metrics), topics=["other"], group="turns", reader=turns, slow=True)
    async with world.log.publisher() as publisher:
        world.start(_loop(world, publisher, found))
        await until(lambda: len(turns.asked) == 9, what="the events to be read")
        await world.stop()

    assert len(set(turns.asked)) == len(turns.asked)


async def test_what_is_quick_to_read_is_read_in_one_turn(world: Requesting) -> None:
    await world.log.ensure_topics(topics.of_events(["other"]))
    await world.write(*(Record(topic="other", key=b"k", value=b"{}") for _ in range(9)))
    turns = Turns()
    found = replace(intake(world.log, world.metrics), topics=["other"], group="turns", reader=turns)
    async with world.log.publisher() as publisher:
        world.start(_loop(world, publisher, found))
        await until(lambda: len(turns.asked) == 9, what="the events to be read")
        await world.stop()

    assert len(set(turns.asked)) == 1


class Turns:
    """A reader that notes in which turn of the event loop it is asked."""

    def __init__(self) -> None:
        self.asked: list[int] = []
        self._turn = 0
        self._next()

    def asks(self, received: Received) -> Sequence[Ask]:  # noqa: ARG002 - the contract's
        self.asked.append(self._turn)
        return ()

    def _next(self) -> None:
        self._turn += 1
        if len(self.asked) < 9:
            asyncio.get_running_loop().call_soon(self._next)
