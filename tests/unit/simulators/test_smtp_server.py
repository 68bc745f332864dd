"""Real dialogues over loopback: what is accepted, and every way in which it is not."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import aiosmtplib
import pytest

from simulators.smtp.faults import Fault, Faults, Phase, Reply
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.options import Options
from simulators.smtp.server import listening
from tests.support.clock import ManualClock
from tests.support.waiting import until
from tocsin.clock import Clock
from tocsin.errors import SettingsError

Listen = Callable[..., AbstractAsyncContextManager[int]]
Send = Callable[..., Awaitable[str]]

RAW = b"Subject: Hi\r\n\r\n..dot\r\n"


def _client(port: int) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False, timeout=10)


async def test_a_mail_arrives_byte_for_byte(port: int, mailbox: Mailbox, clock: Clock) -> None:
    async with _client(port) as client:
        _, answer = await client.sendmail("shop@example.org", ["anna@example.org", "bert@example.org"], RAW)

    (mail,) = mailbox.newest()
    assert (mail.raw, mail.mail_from, mail.at) == (RAW, "shop@example.org", clock.now())
    assert mail.recipients == ("anna@example.org", "bert@example.org")
    assert answer == f"2.0.0 OK: queued as {mail.id}"


async def test_one_connection_carries_many_mails(port: int, mailbox: Mailbox) -> None:
    async with _client(port) as client:
        for _ in range(3):
            await client.sendmail("shop@example.org", ["anna@example.org"], RAW)

    assert mailbox.total == 3


async def test_a_bounce_has_an_empty_sender(port: int, mailbox: Mailbox) -> None:
    async with _client(port) as client:
        await client.sendmail("", ["anna@example.org"], RAW)

    assert [mail.mail_from for mail in mailbox.newest()] == [""]


async def test_international_addresses_are_taken(port: int, mailbox: Mailbox) -> None:
    async with _client(port) as client:
        await client.sendmail("shop@example.org", ["grüße@example.org"], RAW, mail_options=["SMTPUTF8"])

    assert list(mailbox.by_recipient) == ["grüße@example.org"]


async def test_two_servers_run_side_by_side(listen: Listen, clock: Clock) -> None:
    other = Mailbox(now=clock.now)
    async with listen() as first, listening(mailbox=other, faults=Faults(), clock=clock) as second:
        async with _client(second) as client:
            await client.sendmail("shop@example.org", ["refused@example.org"], RAW)
        assert first != second

    assert other.total == 1


async def test_a_port_that_is_taken_is_named(port: int, listen: Listen) -> None:
    with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
        async with listen(port=port):
            pytest.fail("two servers on one port")


async def test_greylisting_takes_the_second_try(send: Send, mailbox: Mailbox) -> None:
    with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
        await send("greylist+1@example.org")
    assert _reply(refused.value) == (451, "4.7.1 Greylisted, try again later")

    await send("greylist+1@example.org")
    assert mailbox.total == 1


@pytest.mark.parametrize(
    ("recipient", "code", "status"),
    [
        ("refused@example.org", 550, "5.1.1"),
        ("busy@example.org", 451, "4.3.2"),
        ("shutdown@example.org", 421, "4.3.2"),
        ("full@example.org", 552, "5.2.2"),
    ],
)
async def test_builtin_recipients_are_refused(
    send: Send, mailbox: Mailbox, recipient: str, code: int, status: str
) -> None:
    for _ in range(2):
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await send(recipient)
        assert _reply(refused.value)[0] == code
        assert _reply(refused.value)[1].startswith(status)

    assert mailbox.total == 0


async def test_a_refused_recipient_does_not_spoil_the_mail_for_another(port: int, mailbox: Mailbox) -> None:
    async with _client(port) as client:
        errors, _ = await client.sendmail("shop@example.org", ["refused@example.org", "anna@example.org"], RAW)

    assert list(errors) == ["refused@example.org"]
    assert dict(mailbox.by_recipient) == {"anna@example.org": 1}


async def test_a_drop_after_the_final_dot_has_accepted_the_mail(send: Send, mailbox: Mailbox) -> None:
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send("drop@example.org")

    assert mailbox.by_recipient["drop@example.org"] == 1


async def test_slow_waits_before_the_final_answer(send: Send, mailbox: Mailbox, slept: list[timedelta]) -> None:
    await send("slow@example.org")

    assert slept == [timedelta(seconds=2)]
    assert mailbox.total == 1


@pytest.mark.parametrize("code", [451, 554, 421])
@pytest.mark.parametrize("phase", ["connect", "mail", "rcpt", "data", "body"])
async def test_every_phase_can_be_refused(port: int, faults: Faults, mailbox: Mailbox, phase: Phase, code: int) -> None:
    reply = Reply(code=code, enhanced=f"{code // 100}.9.9", text="As told")
    faults.add(Fault(phase=phase, reply=reply, delay_seconds=1, times=1))

    dialogue = await _dialogue(port)

    assert dialogue[-1] == f"{code} {code // 100}.9.9 As told"
    assert len(dialogue) == _steps_before(phase) + 1
    assert mailbox.total == 0
    assert len(await _dialogue(port)) == _steps_before("body") + 1
    assert mailbox.total == 1


@pytest.mark.parametrize("phase", ["connect", "mail", "rcpt", "data", "body"])
async def test_every_phase_can_drop_the_connection(port: int, faults: Faults, mailbox: Mailbox, phase: Phase) -> None:
    faults.add(Fault(phase=phase, drop=True, times=1))

    dialogue = await _dialogue(port)

    assert len(dialogue) == _steps_before(phase) + 1
    assert dialogue[-1] == ""
    assert mailbox.total == (1 if phase == "body" else 0)


@pytest.mark.parametrize("phase", ["connect", "mail", "rcpt", "data", "body"])
async def test_every_phase_can_be_slow(port: int, faults: Faults, slept: list[timedelta], phase: Phase) -> None:
    faults.add(Fault(phase=phase, delay_seconds=0.5))

    assert (await _dialogue(port))[-1].startswith("250 2.0.0")
    assert slept == [timedelta(seconds=0.5)]


@pytest.mark.parametrize("phase", ["connect", "mail", "rcpt", "data", "body"])
async def test_after_421_the_connection_is_closed(port: int, faults: Faults, phase: Phase) -> None:
    faults.add(Fault(phase=phase, reply=Reply(code=421, enhanced="4.3.2", text="Bye")))

    assert (await _dialogue(port, read_on=True))[-2:] == ["421 4.3.2 Bye", ""]


async def test_another_mail_can_follow_a_refused_one(port: int, faults: Faults, mailbox: Mailbox) -> None:
    faults.add(Fault(phase="data", reply=Reply(code=451, enhanced="4.3.0", text="Not now"), times=1))
    faults.add(Fault(phase="body", reply=Reply(code=554, enhanced="5.7.1", text="Spam"), times=1))

    async with _client(port) as client:
        for _ in range(2):
            with pytest.raises(aiosmtplib.SMTPDataError):
                await client.sendmail("shop@example.org", ["anna@example.org"], RAW)
        await client.sendmail("shop@example.org", ["anna@example.org"], RAW)

    assert mailbox.total == 1


async def test_a_mail_above_the_limit_is_refused(listen: Listen, mailbox: Mailbox) -> None:
    async with listen(options=Options(max_message_bytes=100)) as port, _client(port) as client:
        await client.ehlo()
        assert client.esmtp_extensions["size"] == "100"
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as announced:
            await client.sendmail("shop@example.org", ["anna@example.org"], b"x" * 101)
        await client.rset()
        await client.mail("shop@example.org")
        await client.rcpt("anna@example.org")
        with pytest.raises(aiosmtplib.SMTPDataError) as unannounced:
            await client.data(b"x" * 101)

    assert (announced.value.code, unannounced.value.code) == (552, 552)
    assert mailbox.total == 0


async def test_the_answer_waits_as_long_as_the_fault_says(mailbox: Mailbox, faults: Faults) -> None:
    clock = ManualClock()
    async with listening(mailbox=mailbox, faults=faults, clock=clock) as port:
        sending = asyncio.create_task(_dialogue(port, recipient="slow@example.org"))
        await until(clock.next_due, what="the server waits")
        clock.advance(timedelta(seconds=2) - timedelta(microseconds=1))
        assert not sending.done()
        assert clock.next_due() is not None
        clock.advance(timedelta(microseconds=1))

        assert (await sending)[-1].startswith("250 2.0.0")


async def test_a_client_that_gives_up_waiting_has_sent_the_mail(mailbox: Mailbox, faults: Faults) -> None:
    clock = ManualClock()
    async with listening(mailbox=mailbox, faults=faults, clock=clock) as port:
        sending = asyncio.create_task(_dialogue(port, recipient="slow@example.org"))
        await until(clock.next_due, what="the server waits")
        sending.cancel()
        await until(lambda: clock.next_due() is None, what="the server notices that the client is gone")

    assert mailbox.total == 1


async def test_closing_cuts_the_connections_that_are_open(listen: Listen) -> None:
    async with listen() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await reader.readline()

    assert await _line(reader) == ""
    writer.close()


async def test_the_dialogue_is_not_logged(send: Send, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await send("anna@example.org")
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await send("drop@example.org")

    assert not [record for record in caplog.records if "example.org" in record.getMessage()]


async def _dialogue(port: int, *, recipient: str = "anna@example.org", read_on: bool = False) -> list[str]:
    """Send a mail by hand and return the answers, up to the first that refuses or is missing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    steps = ["", "HELO x", "MAIL FROM:<shop@x>", f"RCPT TO:<{recipient}>", "DATA", "Subject: Hi\r\n\r\nText\r\n."]
    answers: list[str] = []
    try:
        for step in steps:
            if step:
                writer.write(f"{step}\r\n".encode())
            answers.append(await _line(reader))
            if answers[-1][:1] not in {"2", "3"}:
                break
        if read_on:
            answers.append(await _line(reader))
    finally:
        writer.close()
    return answers


async def _line(reader: asyncio.StreamReader) -> str:
    """Return the next line, empty if the connection is closed."""
    try:
        return (await reader.readline()).decode().rstrip()
    except ConnectionError:
        return ""


def _steps_before(phase: Phase) -> int:
    return {"connect": 0, "mail": 2, "rcpt": 3, "data": 4, "body": 5}[phase]


def _reply(refused: aiosmtplib.SMTPRecipientsRefused) -> tuple[int, str]:
    (recipient,) = refused.recipients
    return recipient.code, recipient.message
