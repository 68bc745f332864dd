"""Questions to a cluster: each has an answer in time, or an error that says so."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.kafka_logs import kafka_settings, open_kafka_log
from tests.unit.kafka.fakes import GROUP, A, B, Cluster, Stage
from tocsin.errors import LogUnavailable
from tocsin.eventlog.kafka import lookup
from tocsin.eventlog.kafka.lookup import Lookup


class Silent:
    """A client that never answers."""

    def __getattr__(self, _: str) -> Any:
        async def waiting(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        return waiting


async def test_a_question_is_bounded_in_time() -> None:
    silent: Any = Silent()
    asking = Lookup(silent, silent, seconds=0.02)

    for question in (
        asking.identity(),
        asking.topics(),
        asking.ends([A]),
        asking.beginnings([A]),
        asking.committed("g"),
    ):
        with pytest.raises(LogUnavailable, match="no answer"):
            await question


async def test_a_cluster_that_is_away_is_told_of(stage: Stage, cluster: Cluster) -> None:
    cluster.reachable = False

    with pytest.raises(LogUnavailable, match="nobody there"):
        await stage.lookup.ends([A])


async def test_lag_counts_from_the_commit_and_from_what_is_still_there(stage: Stage, cluster: Cluster) -> None:
    cluster.put(A, *range(10))
    cluster.put(B, *range(10))
    cluster.beginnings, cluster.commits = {A: 4, B: 4}, {A: 7}

    committed = await stage.lookup.committed(GROUP, [A, B])
    assert committed == {A: 7}
    assert await stage.lookup.lag([A, B], committed) == {A: 3, B: 6}
    assert await stage.lookup.lag([], committed) == {}


async def test_what_is_written_between_two_questions_is_not_taken_for_old() -> None:
    """Else the first submit of an idle gateway could look like an audit that has stood still, and stop intake."""

    class Observer:
        written = 5

        async def end_offsets(self, partitions: list[Any]) -> dict[Any, int]:
            return dict.fromkeys(partitions, self.written)

        async def offsets_for_times(self, timestamps: dict[Any, int]) -> dict[Any, None]:
            self.written += 1
            return dict.fromkeys(timestamps)

    observer: Any = Observer()

    assert await Lookup(observer, observer, seconds=1).written_from([A], datetime(2026, 1, 1, tzinfo=UTC)) == {A: 5}


async def test_a_log_that_cannot_be_opened_leaves_nothing_open(stage: Stage) -> None:
    settings = kafka_settings("127.0.0.1:1")

    with pytest.raises(LogUnavailable, match=r"127\.0\.0\.1:1 is where nothing listens"):
        async with open_kafka_log(settings, clock=stage.clock, metrics=stage.metrics):
            pass


def test_errors_without_words_have_their_name() -> None:
    assert lookup.worded(TimeoutError()) == "TimeoutError"
    assert lookup.worded(OSError("no route")) == "OSError: no route"
