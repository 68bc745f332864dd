"""Every name there is."""

from itertools import product

import pytest

from tocsin import topics
from tocsin.delivery import Lane
from tocsin.tiers import TIERS

CHANNELS = ("email", "sms", "push", "browser")


@pytest.mark.parametrize(
    ("lane", "name"),
    [
        (Lane.NORMAL, "notifications.email"),
        (Lane.HIGH, "notifications.email.high"),
        (Lane.BULK, "notifications.email.bulk"),
    ],
)
def test_a_channels_topics_follow_the_design(lane: Lane, name: str) -> None:
    assert topics.delivery("email", lane) == name
    assert topics.retries("email", lane) == [f"{name}.retry.{tier}" for tier in ("5s", "30s", "2m", "10m", "1h")]


def test_dead_letters_and_audit_follow_the_design() -> None:
    assert topics.dlq("sms") == "notifications.sms.dlq"
    assert topics.AUDIT == "notifications.audit"
    assert (topics.REQUESTS, topics.REQUESTS_DLQ) == ("notifications.requests", "notifications.requests.dlq")


def test_an_installation_has_each_topic_once_and_nothing_else() -> None:
    names = [spec.name for spec in topics.of_channels(CHANNELS)]

    assert len(names) == len(set(names)) == len(CHANNELS) * (3 * (1 + len(TIERS)) + 1) + 3
    assert set(names) == {
        *(topics.delivery(channel, lane) for channel, lane in product(CHANNELS, Lane)),
        *(topics.retry(channel, lane, tier) for channel, lane, tier in product(CHANNELS, Lane, TIERS)),
        *map(topics.dlq, CHANNELS),
        topics.AUDIT,
        topics.REQUESTS,
        topics.REQUESTS_DLQ,
    }


def test_a_topics_kind_is_what_it_holds() -> None:
    for spec in topics.of_channels(CHANNELS):
        expected = "retry" if ".retry." in spec.name else "dlq" if spec.name.endswith(".dlq") else None
        assert spec.kind == (expected or ("audit" if spec.name == topics.AUDIT else "delivery"))


def test_the_tier_of_a_retry_topic_is_the_one_it_was_made_for() -> None:
    for channel, lane, tier in product(CHANNELS, Lane, TIERS):
        assert topics.tier_of(topics.retry(channel, lane, tier)) is tier


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "5s",
        "notifications.5s",
        "notifications.email.retry",
        "notifications.email.retry.",
        "notifications.email",
        "notifications.email.retry.7s",
        "notifications.email.retry.5s.dlq",
        "notifications.email.bulk",
        "retry.5s",
    ],
)
def test_any_other_topic_has_no_tier(topic: str) -> None:
    assert topics.tier_of(topic) is None


def test_every_group_has_a_name_of_its_own() -> None:
    workers = [
        topics.worker_group(channel, lane, retrying=retrying)
        for channel, lane, retrying in product(CHANNELS, Lane, (False, True))
    ]
    sinks = [topics.intake_group(), *(topics.sink_group(service, "ingest") for service in ("audit", "dlq"))]

    assert len({*workers, *sinks}) == len(workers) + len(sinks)
    assert topics.sink_group("audit", "ingest") == "tocsin.audit.ingest"


def test_topics_of_events_are_those_that_were_named() -> None:
    assert [(spec.name, spec.kind) for spec in topics.of_events(["shop.orders"])] == [("shop.orders", "event")]
