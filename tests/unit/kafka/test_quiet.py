"""An outage tells its troubles once in a while, not a thousand times a second."""

import logging

import pytest

from tests.support.clock import ManualClock
from tests.support.kafka_logs import kafka_settings
from tocsin.eventlog.kafka.clients import KafkaClients
from tocsin.eventlog.kafka.quiet import Throttle


@pytest.fixture
def logger() -> logging.Logger:
    made = logging.Logger("aiokafka.test")
    made.propagate = False
    return made


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_what_differs_in_its_values_only_is_told_once_in_ten_seconds_and_counted(logger: logging.Logger) -> None:
    clock, kept = ManualClock(), _Kept()
    logger.addHandler(kept)
    logger.addFilter(Throttle(monotonic=clock.monotonic))

    for node in range(100):
        logger.error("Unable connect to node with id %s", node)
    logger.error("Another trouble")
    clock.advance(seconds=10)
    logger.error("Unable connect to node with id %s", 7)
    clock.advance(seconds=10)
    logger.error("Unable connect to node with id %s", 8)

    assert kept.lines == [
        "Unable connect to node with id 0",
        "Another trouble",
        "Unable connect to node with id 7 (99 more like it since 10 s)",
        "Unable connect to node with id 8",
    ]


def test_every_logger_of_the_driver_is_throttled_once() -> None:
    for _ in range(2):
        KafkaClients(kafka_settings("127.0.0.1:1"))

    filters = logging.getLogger("aiokafka.conn").filters
    assert sum(isinstance(each, Throttle) for each in filters) == 1
