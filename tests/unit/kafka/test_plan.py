"""The list of topics, and the way there from what a cluster has: nothing on it loses a record."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tocsin.errors import SettingsError
from tocsin.eventlog.kafka import layout as layouts
from tocsin.eventlog.kafka.layout import Layout, Wanted
from tocsin.eventlog.kafka.plan import Found, Step, plan
from tocsin.settings.sections import Kafka
from tocsin.topics import TopicSpec

PACKAGED = Path(__file__).parents[3] / "configs" / "kafka" / "topics.toml"
SPEC = TopicSpec(name="notifications.email", kind="delivery")


@pytest.fixture
def layout() -> Layout:
    return layouts.load(PACKAGED, replication=Kafka().replication)


@pytest.fixture
def wanted(layout: Layout) -> Wanted:
    return layout.wanted(SPEC)


def found(wanted: Wanted, partitions: int = 12, replication: int = 3, **configs: str) -> Found:
    changed = {key.replace("_", "."): value for key, value in configs.items()}
    return Found(
        name=wanted.name,
        partitions=partitions,
        replication=replication,
        configs={**wanted.configs, **changed},
        own={},
    )


def steps(wanted: Wanted, there: Found | None, *, shorter_retention: bool = False) -> list[Step]:
    names: Mapping[str, Found] = {} if there is None else {there.name: there}
    return plan([wanted], names, shorter_retention=shorter_retention)


def test_the_packaged_list_is_safe_and_takes_our_records(layout: Layout) -> None:
    assert (layout.replication, layout.min_insync_replicas) == (3, 2)
    assert layout.max_message_bytes > Kafka().max_record_bytes
    assert layout.wanted(SPEC).configs["retention.bytes"] == "-1"
    assert layout.wanted(SPEC).configs["message.timestamp.type"] == "LogAppendTime"


def test_a_topic_as_it_should_be_needs_nothing(wanted: Wanted) -> None:
    assert steps(wanted, found(wanted)) == []


def test_a_missing_topic_is_made(wanted: Wanted) -> None:
    [step] = steps(wanted, None)

    assert (step.action, step.blocking) == ("create", True)
    assert "12 partitions, 3 copies, kept for 168 h" in step.why


def test_a_topic_of_somebody_elses_events_is_made_where_it_is_missing_and_left_as_it_is(layout: Layout) -> None:
    events = layout.wanted(TopicSpec(name="shop.orders", kind="event"))
    there = found(events, partitions=3, replication=1, retention_ms="1000", cleanup_policy="compact")

    assert [(step.action, step.blocking) for step in steps(events, None)] == [("create", True)]
    assert steps(events, there) == []


def test_a_list_of_before_there_were_events_holds(tmp_path: Path) -> None:
    path = tmp_path / "topics.toml"
    path.write_text(PACKAGED.read_text().partition("[kinds.event]")[0])

    assert layouts.load(path, replication=1) == layouts.load(PACKAGED, replication=1)


def test_partitions_are_added_and_never_taken(wanted: Wanted) -> None:
    [grow] = steps(wanted, found(wanted, partitions=4))
    [refuse] = steps(wanted, found(wanted, partitions=24))

    assert (grow.action, grow.blocking) == ("grow", True)
    assert (refuse.action, refuse.blocking) == ("refuse", False)


@pytest.mark.parametrize(("present", "words"), [("1209600000", "336 h"), ("-1", "for ever")])
def test_records_are_not_kept_for_less_without_saying_so(wanted: Wanted, present: str, words: str) -> None:
    there = found(wanted, retention_ms=present)
    [refused] = steps(wanted, there)
    [done] = steps(wanted, there, shorter_retention=True)

    assert refused.action == "refuse"
    assert words in refused.why
    assert (done.action, done.configs) == ("set", {"retention.ms": "604800000"})


def test_a_compacted_topic_does_not_begin_to_delete_without_saying_so(wanted: Wanted) -> None:
    assert [step.action for step in steps(wanted, found(wanted, cleanup_policy="compact"))] == ["refuse"]


@pytest.mark.parametrize(
    ("configs", "blocking"),
    [
        ({"retention_ms": "3600000"}, True),
        ({"retention_bytes": "1000"}, True),
        ({"max_message_bytes": "1000"}, True),
        ({"max_message_bytes": "9000000"}, False),
        ({"min_insync_replicas": "1"}, False),
        ({"message_timestamp_type": "CreateTime"}, False),
    ],
)
def test_settings_are_changed_and_the_dangerous_ones_keep_services_from_starting(
    wanted: Wanted, configs: dict[str, str], blocking: bool
) -> None:
    [step] = steps(wanted, found(wanted, 12, 3, **configs))

    assert (step.action, step.blocking) == ("set", blocking)
    assert step.configs is not None
    assert set(step.configs) == {key.replace("_", ".") for key in configs}


@pytest.mark.parametrize(("copies", "in_sync"), [(1, 1), (2, 1), (3, 2), (5, 2)])
def test_no_more_copies_must_be_in_sync_than_the_loss_of_one_leaves(copies: int, in_sync: int) -> None:
    assert layouts.load(PACKAGED, replication=copies).min_insync_replicas == in_sync


def test_few_copies_are_warned_of() -> None:
    small = layouts.load(PACKAGED, replication=1).wanted(SPEC)

    [copies] = steps(small, found(small, replication=1))
    assert (copies.action, copies.blocking) == ("warn", False)


def test_copies_that_differ_are_told_and_left(wanted: Wanted) -> None:
    [differ, weak] = steps(wanted, found(wanted, replication=2))

    assert (differ.action, weak.action) == ("warn", "warn")
    assert "kafka-reassign-partitions" in differ.why


def test_a_topic_that_nothing_can_be_written_to_is_blocking(wanted: Wanted) -> None:
    assert any(step.blocking for step in steps(wanted, found(wanted, replication=1)))


def test_no_topic_is_made_such(wanted: Wanted) -> None:
    """A topic of a broker on one's own machine, under the list for a cluster."""
    there = found(wanted, replication=1, min_insync_replicas="1")

    assert {(step.action, step.blocking) for step in steps(wanted, there)} == {("warn", False)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("min_insync_replicas = ", "not TOML"),
        ("min_insync_replicas = 2", "max_message_bytes"),
        ("replication = 3", "kafka.replication"),
        (PACKAGED.read_text().replace("[kinds.dlq]", "[kinds.dql]"), "dql"),
    ],
    ids=["syntax", "missing", "elsewhere", "misspelt"],
)
def test_a_list_that_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "topics.toml"
    path.write_text(text)

    with pytest.raises(SettingsError, match=words) as raised:
        layouts.load(path, replication=3)
    assert str(path) in str(raised.value)


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        layouts.load(tmp_path / "nowhere.toml", replication=3)


def test_the_list_is_found_here_or_packaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    packaged = layouts.find("")
    here = Path("configs") / "kafka" / "topics.toml"
    here.parent.mkdir(parents=True)
    here.write_text("")

    assert packaged.read_text() == PACKAGED.read_text()
    assert layouts.find("") == here
    assert layouts.find("other.toml") == Path("other.toml")
