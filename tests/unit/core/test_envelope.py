"""CloudEvents in headers."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin import envelope, lifecycle
from tocsin.envelope import BrokenEnvelope, Envelope
from tocsin.record import Headers, replaced

NOW = datetime(2030, 1, 1, 12, 30, 15, 250_000, tzinfo=UTC)
GOOD = Envelope(id="dlv_1", type="tocsin.delivery", time=NOW, schema="urn:x", traceparent="00-1-2-01")
ATTRIBUTES = ("ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "ce_dataschema")

words = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30)
moments = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)).map(  # noqa: DTZ001 - hypothesis wants its bounds naive
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
envelopes = st.builds(
    Envelope, id=words, type=words, time=moments, schema=words, source=words, traceparent=st.none() | words
)


def with_header(name: str, value: bytes | None) -> Headers:
    return replaced(envelope.write(GOOD), {name: value})


@given(envelopes)
def test_an_envelope_survives_its_headers(written: Envelope) -> None:
    assert envelope.read(envelope.write(written)) == written


def test_the_headers_are_those_of_the_binding() -> None:
    assert dict(envelope.write(GOOD)) == {
        "ce_specversion": b"1.0",
        "ce_id": b"dlv_1",
        "ce_type": b"tocsin.delivery",
        "ce_source": b"/tocsin",
        "ce_time": b"2030-01-01T12:30:15.250Z",
        "ce_dataschema": b"urn:x",
        "content-type": b"application/json",
        "traceparent": b"00-1-2-01",
    }


@pytest.mark.parametrize("name", ATTRIBUTES)
@pytest.mark.parametrize("value", [None, b"", b"\xff"])
def test_an_attribute_that_is_missing_or_no_text_is_named(name: str, value: bytes | None) -> None:
    with pytest.raises(BrokenEnvelope, match=f"attribute {name.removeprefix('ce_')} "):
        envelope.read(with_header(name, value))


@pytest.mark.parametrize("value", [b"now", b"12", b"2030-13-01T00:00:00Z", b"2030-01-01T00:00:00", b"2030-01-01"])
def test_a_time_without_meaning_is_broken(value: bytes) -> None:
    with pytest.raises(BrokenEnvelope, match="attribute time"):
        envelope.read(with_header("ce_time", value))


def test_a_time_of_another_zone_is_turned_to_utc() -> None:
    found = envelope.read(with_header("ce_time", b"2030-01-01T14:30:15.25+02:00"))

    assert found.time == NOW.astimezone(timezone(timedelta(hours=2)))
    assert found.time.utcoffset() == timedelta()


@pytest.mark.parametrize("value", [b"0001-01-01T00:00:00+23:59", b"9999-12-31T23:59:59-23:59"])
def test_a_time_at_the_edge_of_the_calendar_is_broken(value: bytes) -> None:
    with pytest.raises(BrokenEnvelope, match="attribute time"):
        envelope.read(with_header("ce_time", value))


@given(
    st.lists(st.tuples(st.sampled_from([*ATTRIBUTES, "traceparent"]), st.binary(max_size=30))),
    st.booleans(),
)
def test_bytes_of_any_kind_are_read_or_broken(changes: list[tuple[str, bytes]], whole: bool) -> None:
    headers = (*envelope.write(GOOD), *changes) if whole else tuple(changes)
    try:
        found = envelope.read(headers)
    except BrokenEnvelope as error:
        assert str(error).startswith("attribute ")
    else:
        assert found.time.utcoffset() == timedelta()


@given(st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9][T ]?[0-9:]{0,8}[+-][0-9:]{0,5}", fullmatch=True))
def test_near_times_are_read_or_broken(text: str) -> None:
    try:
        envelope.read(with_header("ce_time", text.encode()))
    except BrokenEnvelope as error:
        assert "attribute time" in str(error)


def test_an_audit_event_travels_under_its_notification() -> None:
    event = lifecycle.of_notification(
        lifecycle.Event.ACCEPTED, notification_id="ntf_" + "0" * 26, tenant="t", time=NOW, data={"a": [1, "ü"]}
    )
    record = envelope.audit_record(event)
    found = envelope.read(record.headers)

    assert record.topic == "notifications.audit"
    assert record.key == b"ntf_" + b"0" * 26
    assert (found.id, found.type, found.time, found.schema) == (event.id, event.type, NOW, lifecycle.SCHEMA)
    assert envelope.audit_event(record.value) == event


def test_an_audit_event_of_no_notification_travels_under_its_own_id() -> None:
    event = lifecycle.AuditEvent(id="evt_1", type=lifecycle.Event.OPERATOR_KEY_CREATED, time=NOW, tenant="t")

    assert envelope.audit_record(event).key == b"evt_1"


def test_an_audit_event_can_tell_a_providers_text_that_is_half_a_character_pair() -> None:
    """A provider's answer decoded with surrogateescape must not turn an attempt that was made into a bug."""
    event = lifecycle.AuditEvent(
        id="evt_1", type=lifecycle.Event.ATTEMPTED, time=NOW, tenant="t", data={"message": "verf\udcfcgbar"}
    )

    assert envelope.audit_event(envelope.audit_record(event).value).id == "evt_1"
