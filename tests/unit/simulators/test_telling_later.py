"""What simulators tell later of mails: whom for, to where, and what they refuse."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosmtplib
import httpx
import pytest
from fastapi import FastAPI

from channels.email import report as reading
from channels.email.dsn import StatusReport
from channels.email.feedback import FeedbackReport
from simulators.resend.simulator import simulator as resend
from simulators.ses.simulator import simulator as ses
from simulators.smtp import control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mail, Mailbox
from simulators.smtp.reports import KINDS, Kind, kind_for, report
from simulators.smtp.returning import returning
from simulators.smtp.server import listening
from tests.support.clock import ManualClock
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.service import Simulator
from tocsin.runtime.simulating import simulating

MAIL = Mail(
    id=1,
    at=ManualClock().now(),
    mail_from="bounce+token@shop.example",
    recipients=("ada@example.test",),
    raw=b"Subject: Hello\r\nReturn-Path: <x@y>\r\n\r\nnot this\r\n",
)


@pytest.mark.parametrize(
    ("recipient", "kind"),
    [
        ("bounced@x", "bounced"),
        ("Bounced+7@x", "bounced"),
        ("bounced-full@x", "full"),
        ("delayed@x", "delayed"),
        ("complained@x", "complained"),
        ("ada@x", None),
        ("unbounced@x", None),
    ],
)
def test_a_recipient_says_what_is_told_later(recipient: str, kind: Kind | None) -> None:
    assert kind_for(recipient) == kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_one_that_a_reader_understands(kind: Kind) -> None:
    raw = report(kind, MAIL, "ada@example.test")
    found = reading.read(raw)

    assert isinstance(found.told, FeedbackReport if kind == "complained" else StatusReport)
    assert found.arrived_at == ("<bounce+token@shop.example>",)
    assert "ada@example.test" in set(found.addresses)
    assert found.returned["subject"] == ("Hello",)
    assert b"not this" not in raw


@asynccontextmanager
async def standing(port: int) -> AsyncIterator[tuple[httpx.AsyncClient, int]]:
    """Run an SMTP simulator that brings reports to a port; yields its control, and its own port."""
    clock = ManualClock()
    mailbox, faults, app = Mailbox(now=clock.now), Faults(), FastAPI()
    async with returning("127.0.0.1", port) as returner:
        app.include_router(control.router(mailbox=mailbox, faults=faults, returner=returner))
        async with (
            listening(mailbox=mailbox, faults=faults, clock=clock, returner=returner) as own,
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client,
        ):
            yield client, own


async def send(port: int, sender: str) -> None:
    """Send a mail that bounces later."""
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as smtp:
        await smtp.sendmail(sender, ["bounced@x.example"], b"Subject: x\r\n\r\n")


async def test_where_nobody_listens_it_is_no_matter(unused_tcp_port: int) -> None:
    async with standing(unused_tcp_port) as (client, port):
        await send(port, "a@shop.example")
        told = await client.post("/messages/1/reports/bounced")
        missing = await client.post("/messages/7/reports/bounced")
        strange = await client.post("/messages/1/reports/lost")

    assert told.json() == {"reply": ""}
    assert (missing.status_code, strange.status_code) == (404, 422)


async def test_a_report_has_no_sender_to_tell_of_it() -> None:
    heard: list[bytes] = []

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    async with server, standing(server.sockets[0].getsockname()[1]) as (_, port):
        await send(port, "")

    assert heard == []


@pytest.mark.parametrize("simulator", [ses, resend], ids=lambda each: each.name)
async def test_an_endpoint_is_a_url_and_a_mail_is_there(simulator: Simulator) -> None:
    async with (
        simulating([simulator], clock=SystemClock(), port=0) as pages,
        httpx.AsyncClient(base_url=pages[simulator.name]) as client,
    ):
        wrong = await client.put("endpoint", json={"url": "ftp://x"})
        right = await client.put("endpoint", json={"url": "http://127.0.0.1:1/x"})
        missing = await client.post("messages/7/events/bounced")

    assert (wrong.status_code, right.status_code, missing.status_code) == (422, 200, 404)
