"""`docs/streams.md` is a promise: its examples are requests and events, and what it names is there."""

import json
import re
import sys
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self

import pytest

from producer import asyncapi
from producer.check import Checked, Checker
from producer.request import Request
from tests.support.asyncapi import Messages
from tests.support.requesting import STRUCTURED, bare
from tests.unit.producer.test_requests import NOW, READER, received
from tocsin import schemas
from tocsin.deadletter import Reason
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.record import Record
from tocsin.runtime import discover
from tocsin.validation import Schema

TEXT = (Path(__file__).parents[3] / "docs" / "streams.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


class Producer:
    """What the example sends goes to `sent`. Stands in for `aiokafka.AIOKafkaProducer`."""

    sent: list[Record]

    def __init__(self, **given: Any) -> None:
        assert given["acks"] == "all"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    async def send_and_wait(self, topic: str, value: bytes, *, key: bytes, headers: list[tuple[str, bytes]]) -> None:
        """Keep the record."""
        self.sent.append(Record(topic=topic, key=key, value=value, headers=tuple(headers)))


def python_request(monkeypatch: pytest.MonkeyPatch) -> Record:
    """Return the record that the Python example writes."""
    stand_in = ModuleType("aiokafka")
    stand_in.AIOKafkaProducer = Producer  # type: ignore[attr-defined] # modules are open
    monkeypatch.setitem(sys.modules, "aiokafka", stand_in)
    monkeypatch.setattr(Producer, "sent", [], raising=False)
    exec(compile(blocks("python")[0], "streams.md", "exec"), {"__name__": "example"})
    [record] = Producer.sent
    return record


def shell_request() -> Record:
    """Return the record that the shell's example writes."""
    [line] = re.findall(r"^\{.*\}$", blocks("sh")[0], re.MULTILINE)
    return bare(line.encode())


def structured_request() -> Record:
    """Return the record of the structured example."""
    return bare(blocks("json")[0].encode(), headers=STRUCTURED)


def test_the_examples_are_requests_that_are_taken(
    monkeypatch: pytest.MonkeyPatch, schema: Schema, checker: Checker
) -> None:
    messages = Messages(asyncapi.shipped(), "requests")
    kinds, keys = [], []
    for record in (shell_request(), python_request(monkeypatch), structured_request()):
        found = READER.read(received(record))
        assert isinstance(found, Request)
        assert schema.faults(found.item.document) == ()
        assert isinstance(checker.check(found.item.document, size=found.item.size, now=NOW), Checked)
        kinds.append(messages.of(record))
        keys.append((found.item.key, found.item.document))

    assert kinds == [["bareRequest"], ["binaryRequest"], ["structuredRequest"]]
    assert keys[1] == keys[2]


def test_the_example_of_an_event_is_one() -> None:
    event = json.loads(blocks("json")[1])

    assert schemas.load("audit-event").faults(event) == ()
    assert Schema(schemas.document("audit-event")["$defs"][event["type"]]).faults(event["data"]) == ()


def test_the_other_python_example_is_python() -> None:
    compile(blocks("python")[1], "streams.md", "exec")


def test_what_it_names_is_there() -> None:
    reasons = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    types = set(re.findall(r"\btocsin\.(?:delivery|request|notification)\.\w+", TEXT)) - {
        "tocsin.notification.requested"
    }
    told = Metrics(version="test").render()[0].decode()
    sections = discover.setting_sections()
    settings = re.findall(r"`([a-z]+)\.([a-z_]+)`", TEXT)

    assert reasons == {
        Reason.UNDECODABLE,
        Reason.BROKEN_HEADERS,
        Reason.UNKNOWN_SCHEMA,
        Reason.INVALID,
        Reason.TOO_LARGE,
        Reason.KEY_REUSED,
        Reason.HANDLER_ERROR,
    }
    assert types <= set(Event)
    assert all(f"# TYPE {name} " in told for name in re.findall(r"\btocsin_[a-z_]+", TEXT))
    named = [(section, key) for section, key in settings if section in sections]
    assert len(named) >= 2
    assert all(key in sections[section].__struct_fields__ for section, key in named)
