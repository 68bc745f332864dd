"""One notification becomes records that the channel's reader reads back, and the same ones if it is repeated."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from channels.reading import Readable, Reader
from producer.check import Checked
from producer.fanout import Fanout, fan_out
from tests.unit.producer.test_check import DOCUMENT
from tocsin import delivery as deliveries
from tocsin import envelope, schemas
from tocsin.lifecycle import Event
from tocsin.record import Partition, Received

NOW = datetime(2030, 1, 1, 12, 0, 0, 123_000, tzinfo=UTC)
ID = "ntf_01m7z77eghj90ssyrw6dqrsw9x"


def fanned(document: dict[str, Any], *, test: bool = False) -> Fanout:
    checked = Checked(addresses={"email": ("ada@example.test",)}, template=None, expires_at=NOW + timedelta(hours=1))
    return fan_out(document, checked, notification_id=ID, tenant="t", semantics="at_least_once", now=NOW, test=test)


@pytest.mark.parametrize("test", [False, True])
def test_the_reader_reads_what_was_written(*, test: bool) -> None:
    document = {**DOCUMENT, "content": {"email": {"subject": "s", "text": "t"}}, "lane": "bulk"}
    record, _ = fanned(document, test=test).records
    received = Received(
        place=Partition(record.topic, 0),
        offset=0,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp=NOW,
    )
    found = Reader(schemas.load("delivery")).read(received)

    assert record.topic == "notifications.email.bulk"
    assert isinstance(found, Readable)
    assert (found.delivery.address, found.delivery.accepted_at) == ("ada@example.test", NOW)
    assert (found.hop.life, found.hop.attempt, found.hop.expires_at) == (0, 0, NOW + timedelta(hours=1))


def test_a_repeat_gives_the_same_bytes() -> None:
    assert fanned(DOCUMENT) == fanned(DOCUMENT)


def test_the_audit_is_told_and_the_client_answered() -> None:
    fanout = fanned(DOCUMENT)
    event = envelope.audit_event(fanout.records[-1].value)
    answer = msgspec.json.decode(fanout.answer)

    assert event.type is Event.ACCEPTED
    assert schemas.load("audit-event").faults(msgspec.json.decode(fanout.records[-1].value)) == ()
    assert answer["id"] == event.notification_id == ID
    assert [each["id"] for each in answer["deliveries"]] == [each["id"] for each in event.data["deliveries"]]


def test_the_key_of_a_record_tells_nobody_the_address() -> None:
    record, _ = fanned({**DOCUMENT, "recipient": {"email": "ada@example.test"}}).records

    assert record.key is not None
    assert b"ada" not in record.key


def test_a_test_says_so_everywhere_and_in_a_version_that_workers_of_before_refuse() -> None:
    fanout = fanned({**DOCUMENT, "content": {"email": {"subject": "s", "text": "t"}}}, test=True)
    record, told = fanout.records

    assert schemas.load("delivery").faults(msgspec.json.decode(record.value)) == ()
    assert deliveries.decode(record.value).test is True
    assert envelope.read(record.headers).schema == "urn:tocsin:schema:delivery:2"
    assert envelope.audit_event(told.value).data["test"] is True
    assert schemas.load("audit-event").faults(msgspec.json.decode(told.value)) == ()
    assert msgspec.json.decode(fanout.answer)["test"] is True


def test_nothing_of_what_is_no_test_speaks_of_tests() -> None:
    fanout = fanned(DOCUMENT)

    assert envelope.read(fanout.records[0].headers).schema == "urn:tocsin:schema:delivery:1"
    assert not [each for each in (*(record.value for record in fanout.records), fanout.answer) if b'"test"' in each]
