"""No address and no secret gets through, in whatever text or field it comes."""

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.observe.fields import redacted
from tocsin.observe.redaction import MASK, text

SURROUNDINGS = ["{}", "to {}.", "<{}>", "'{}'", '"{}"', "({})", "[{}]", "mailto:{}", "a,{},b", "x={}&y=1", "né {} à"]
PHONES = st.integers(10**6, 10**15 - 1).map("+{}".format)


@given(st.emails(), st.sampled_from(SURROUNDINGS))
def test_no_email_address_gets_through(address: str, around: str) -> None:
    local, _, domain = address.rpartition("@")
    found = text(around.format(address))

    assert "@" not in found
    assert MASK in found
    assert re.search(rf"(?<!\w){re.escape(domain)}", found) is None
    assert len(local) < 4 or local not in found.replace(MASK, "")


@given(PHONES, st.sampled_from(SURROUNDINGS))
def test_no_phone_number_gets_through(number: str, around: str) -> None:
    assert re.search(r"\d{4}", text(around.format(number))) is None


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        ("GET /x?to=alice%40example.com", "alice"),
        ("GET /x?to=%2B447911123456", "447911"),
        ('"alice smith"@example.com', "example"),
        ("alice@[192.0.2.1]", "192"),
        ("дмитрий@пример.рф", "дмитрий"),
        ("+44 (0) 7911 123-456", "123"),
        ("key tcs_" + "aB3-_" * 8 + "xyz", "aB3"),
        ("Authorization: Bearer abc.def-ghi", "abc"),
        ("authorization: basic dXNlcjpwYXNz", "dXNl"),
        ("postgresql://tocsin:hunter2@db/tocsin", "hunter2"),
        ("amqp://u:hun@ter2@host/", "ter2"),
        ("dbname=x password=hunter2 host=db", "hunter2"),
        ('{"password": "hunter 2"}', "hunter"),
        ("{'api_key': 'hunter2'}", "hunter2"),
        ("https://x.example/hook?sig=hunter2&a=1", "hunter2"),
        ("device " + "0a1b2c3d" * 8, "0a1b"),
        ("https://push.example/send/" + "dGhlIHRva2Vu0" * 10, "dGhl"),
    ],
)
def test_no_secret_gets_through(raw: str, secret: str) -> None:
    assert secret not in text(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "ntf_01jqzv6m3c0000000000000000 went to notifications.email.retry.30s/3/1234567890123",
        "2026-01-02T03:04:05.678+00:00",
        "550 5.1.1 user unknown",
        "-" * 80,
        "user @ work",
    ],
)
def test_what_is_no_secret_stays(raw: str) -> None:
    assert text(raw) == raw


def test_a_cut_leaves_no_half_address() -> None:
    raw = "alice.long.name@example.com " * 4000

    assert all("alice" not in text(raw[shift:] if shift else raw) for shift in (0, 15, 16, 17))


def test_text_is_bounded() -> None:
    assert len(text("x " * 100_000)) == 2001


@pytest.mark.parametrize("piece", ["a", "@", "a@", '"', "+1", "password=", "bearer ", "://", "x:", "1", "\\", "%40"])
def test_search_is_linear(piece: str) -> None:
    raw = piece * 100_000
    started = time.thread_time()
    text(raw)

    assert time.thread_time() - started < 1.0


class Colour(Enum):
    RED = "alice@example.com"


@dataclass
class Letter:
    subject: str = "pregnancy test"


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError


def test_fields_are_redacted_at_any_depth() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    found = redacted(
        {
            "note": {"deep": ["x", {"who": "alice@example.com"}], "alice@example.com": 1},
            "recipient": {"id": "u1"},
            "smtp_password": "hunter2",
            "tokens_left": 3,
            "phone": 447911123456,
            "letter": Letter(),
            "raw": b"alice",
            "colour": Colour.RED,
            "error": ValueError("no alice@example.com"),
            "broken": Broken(),
            "path": Path("/x"),
            "at": at,
            "ok": True,
            "none": None,
        }
    )

    assert found == {
        "note": {"deep": ["x", {"who": MASK}], MASK: 1},
        "recipient": MASK,
        "smtp_password": MASK,
        "tokens_left": 3,
        "phone": MASK,
        "letter": "<Letter>",
        "raw": "<5 bytes>",
        "colour": MASK,
        "error": f"ValueError: no {MASK}",
        "broken": "<Broken>",
        "path": "/x",
        "at": str(at),
        "ok": True,
        "none": None,
    }


def test_fields_are_bounded() -> None:
    loop: list[object] = []
    loop.append(loop)
    found = redacted({"loop": loop, "many": list(range(10_000))})

    assert found["loop"] == [[[[[["<list>"]]]]]]
    assert found["many"][-1] == "…"
