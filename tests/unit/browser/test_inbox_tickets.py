"""Tickets: they open one inbox for a while, and nobody else can make them."""

from datetime import timedelta

import pytest

from channels.browser import base64url
from channels.browser.inbox_key import TicketKey
from channels.browser.inbox_message import Owner
from channels.browser.inbox_tickets import Ticket, Tickets
from tests.support.clock import ManualClock
from tests.support.postgres import databases
from tests.unit.browser.support import NOW
from tests.unit.store.conftest import empty, empty_url
from tocsin.store.engine import Store
from tocsin.store.migrate import upgrade

__all__ = ["databases", "empty", "empty_url"]

TICKETS = Tickets(b"k" * 32)
ADA = Ticket(owner=Owner("default", "ada\x1f \N{PILE OF POO}."), expires_at=NOW + timedelta(minutes=10))


def test_a_ticket_is_read_as_it_was_written_until_it_expires() -> None:
    text = TICKETS.write(ADA)

    assert TICKETS.read(text, now=ADA.expires_at - timedelta(milliseconds=1)) == ADA
    assert TICKETS.read(text, now=ADA.expires_at) is None


def test_a_ticket_is_safe_in_a_url_and_shows_nothing_in_a_log() -> None:
    assert set(TICKETS.write(ADA)) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")
    assert "ada" not in repr(ADA)


def test_what_was_changed_anywhere_opens_nothing() -> None:
    text = TICKETS.write(ADA)
    changed = [text[:place] + ("B" if text[place] == "A" else "A") + text[place + 1 :] for place in range(len(text))]

    # The last character of 32 bytes in base64url has bits to spare; the text counts all the same.
    assert [each for each in changed if TICKETS.read(each, now=NOW) is not None] == []


@pytest.mark.parametrize("text", ["", ".", "a.b", "é.é", "." * 9000, "\ud800.x", f"{base64url.encode(b'[]')}."])
def test_what_is_no_ticket_opens_nothing(text: str) -> None:
    assert TICKETS.read(text, now=NOW) is None


def test_a_ticket_of_another_secret_opens_nothing() -> None:
    assert Tickets(b"l" * 32).read(TICKETS.write(ADA), now=NOW) is None


async def test_all_processes_of_one_database_have_one_secret(empty: Store) -> None:
    await upgrade(empty)
    made = iter((b"1", b"2", b"3"))
    keys = [TicketKey(store=empty, clock=ManualClock(), randbytes=lambda count: next(made) * count) for _ in range(3)]
    text = (await keys[0].tickets()).write(ADA)

    for key in keys:
        assert (await key.tickets()).read(text, now=NOW) == ADA
    assert next(made) == b"2"
