"""An outage tells its troubles once in a while, not a thousand times a second."""

import logging
from datetime import timedelta

from tests.support.clock import ManualClock
from tests.support.kafka_logs import kafka_settings
from tocsin.eventlog.kafka.clients import KafkaClients
from tocsin.eventlog.kafka.quiet import Throttle


class Told:
    """What gets through."""

    def __init__(self, throttle: Throttle) -> None:
        self.lines: list[str] = []
        self._throttle = throttle

    def tell(self, text: str, *values: object) -> None:
        record = logging.LogRecord("aiokafka.conn", logging.ERROR, __file__, 1, text, values, None)
        if self._throttle.filter(record):
            self.lines.append(record.getMessage())


def test_what_differs_in_its_values_only_is_told_once_in_ten_seconds_and_counted() -> None:
    clock = ManualClock()
    told = Told(Throttle(monotonic=clock.monotonic))

    for node in range(100):
        told.tell("Unable connect to node with id %s", node)
    told.tell("Another trouble")
    clock.advance(timedelta(seconds=10))
    told.tell("Unable connect to node with id %s", 7)
    clock.advance(timedelta(seconds=10))
    told.tell("Unable connect to node with id %s", 8)

    assert told.lines == [
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
