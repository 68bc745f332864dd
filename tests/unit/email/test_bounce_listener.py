"""The listener over real sockets: what it takes, what it refuses, and that 250 means durable."""

import asyncio
import logging
import tracemalloc

import aiosmtplib
import pytest
from loguru import logger

from channels.email.bounce_listener import listener
from channels.email.bounces_settings import BouncesSettings
from tests.support.recording import FULL
from tests.unit.email.bouncing import intake, listening
from tests.unit.email.coming_back import ADDRESS, REFERENCE, notification, return_path
from tocsin.errors import SettingsError
from tocsin.lifecycle import Event


async def test_a_bounce_over_lmtp_is_a_receipt_once_it_is_acknowledged() -> None:
    async with listening() as at, at.peer() as peer:
        replies = await peer.bring(return_path(), notification())
        [event] = at.recorder.events

        assert [reply[:3] for reply in replies] == ["220", "250", "250", "250", "354", "250"]
        assert (event.type, event.delivery_id) == (Event.RECEIPT_FAILED, REFERENCE.delivery_id)
        assert event.data["address"] == ADDRESS
        assert at.counted("bounced")


async def test_a_bounce_over_smtp() -> None:
    async with listening("smtp") as at:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=at.listener.port, start_tls=False) as client:
            offers_auth = client.supports_extension("auth")
            for _ in range(2):
                await client.sendmail("", [return_path()], notification())

        assert not offers_auth
        assert [event.type for event in at.recorder.events] == [Event.RECEIPT_FAILED]


@pytest.mark.parametrize("greeting", ["EHLO mail.example.com", "HELO mail.example.com"])
async def test_lmtp_has_a_greeting_of_its_own(greeting: str) -> None:
    async with listening() as at, at.peer() as peer:
        assert (await peer.bring(return_path(), notification(), greeting=greeting))[1].startswith("500")


@pytest.mark.parametrize(
    "recipient",
    [
        "ada@example.com",
        "postmaster@bounces.shop.example",
        return_path().replace("bounce+", "bounce+0"),
        return_path()[:-1],
        "bounce+" + "0" * 56 + "@bounces.shop.example",
    ],
)
async def test_recipients_without_a_token_of_ours_are_refused(recipient: str) -> None:
    async with listening() as at, at.peer() as peer:
        replies = await peer.bring(recipient, notification())

        assert replies[-1] == "550 5.1.1 This is no return path of ours"
        assert at.recorder.events == []


@pytest.mark.parametrize("address", ["<", "<@", "<a@[1.2.3>", "<ada@", "<@[>", ""])
async def test_what_is_no_address_is_refused_for_good_and_no_bug(address: str) -> None:
    told: list[str] = []
    sink = logger.add(lambda message: told.append(message.record["message"]), level="ERROR")
    async with listening() as at, at.peer() as peer:
        await peer.reply()
        await peer.say("LHLO x")
        sender = await peer.say(f"MAIL FROM:{address}")
        await peer.say("MAIL FROM:<>")
        recipient = await peer.say(f"RCPT TO:{address}")
    logger.remove(sink)

    assert (sender[:1], recipient[:1], told) == ("5", "5", [])


async def test_of_several_recipients_the_others_are_to_come_again() -> None:
    async with listening() as at, at.peer() as peer:
        await peer.reply()
        for command in ("LHLO x", "MAIL FROM:<>", f"RCPT TO:<{return_path()}>"):
            assert (await peer.say(command)).startswith("250")

        assert (await peer.say(f"RCPT TO:<{return_path()}>")).startswith("452 4.5.3")


@pytest.mark.parametrize("fails", [FULL, RuntimeError("a bug")])
async def test_what_could_not_be_kept_is_to_come_again(fails: Exception) -> None:
    async with listening() as at, at.peer() as peer:
        at.recorder.fails = fails
        replies = await peer.bring(return_path(), notification())
        at.recorder.fails = None
        async with at.peer() as again:
            repeated = await again.bring(return_path(), notification())

        assert (replies[-1][:3], repeated[-1][:3]) == ("451", "250")
        assert len(at.recorder.events) == 1


async def test_what_is_no_report_is_taken_and_counted() -> None:
    async with listening() as at, at.peer() as peer:
        replies = await peer.bring(return_path(), b"Subject: Out of office\r\n\r\nAway.")

        assert replies[-1][:3] == "250"
        assert at.recorder.events == []
        assert at.counted("unmatched")


async def test_a_message_that_is_too_large_is_refused() -> None:
    async with listening(max_bytes=5_000) as at, at.peer() as peer:
        replies = await peer.bring(return_path(), notification() + b"x" * 100 + b"\r\n" * 5_000)

        assert replies[-1].startswith("552")
        assert at.recorder.events == []


async def test_a_returned_line_that_is_too_long_is_no_reason_to_refuse() -> None:
    async with listening() as at, at.peer() as peer:
        raw = notification(returned="References: " + "<1@x> " * 1_000 + "\n")

        assert (await peer.bring(return_path(), raw))[-1][:3] == "250"
        assert len(at.recorder.events) == 1


async def test_a_line_without_an_end_is_not_kept() -> None:
    async with listening() as at, at.peer() as peer:
        await peer.reply()
        for command in ("LHLO x", "MAIL FROM:<>", f"RCPT TO:<{return_path()}>", "DATA"):
            await peer.say(command)
        tracemalloc.start()
        for _ in range(100):
            peer.writer.write(b"x" * 50_000)
            await peer.writer.drain()
        peer.writer.write(b"\r\n.\r\n")
        refusal = await peer.reply()
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert refusal.startswith("552")
        assert peak < 2_000_000
        for command in ("MAIL FROM:<>", f"RCPT TO:<{return_path()}>", "DATA"):
            await peer.say(command)
        peer.writer.write(b".\r\n")
        assert (await peer.reply()).startswith("250")


@pytest.mark.parametrize(("more", "code"), [(0, "250"), (-1, "552")])
async def test_a_dot_that_was_doubled_counts_once(more: int, code: str) -> None:
    raw = notification() + b"\r\n.x" * 500
    async with listening(max_bytes=len(raw) + len(b"\r\n") + more) as at, at.peer() as peer:
        assert (await peer.bring(return_path(), raw))[-1][:3] == code
        assert len(at.recorder.events) == (more == 0)


async def test_nothing_of_a_dialogue_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with listening() as at, at.peer() as peer:
        await peer.bring(return_path(), notification())

    assert "bounce+" not in caplog.text
    assert ADDRESS not in caplog.text


async def test_who_guesses_on_and_on_is_cut_off() -> None:
    async with listening() as at, at.peer() as peer:
        await peer.bring("bounce+1@bounces.shop.example", b"")
        replies = [await peer.say("RCPT TO:<bounce+1@bounces.shop.example>") for _ in range(200)]

        assert replies[0].startswith("550")
        assert replies[-1].startswith("421")


async def test_a_port_that_is_taken_is_told_at_the_start() -> None:
    async with listening() as at:
        taken = BouncesSettings(listen=f"127.0.0.1:{at.listener.port}")
        with pytest.raises(SettingsError, match=r"bounces\.listen: 127\.0\.0\.1:\d+ is in use by another program"):
            listener(taken, intake(at.recorder, at.metrics))

        assert listener(BouncesSettings(), intake(at.recorder, at.metrics)) is None


async def test_connections_are_bounded() -> None:
    async with listening() as at:
        writers = [(await asyncio.open_connection("127.0.0.1", at.listener.port)) for _ in range(64)]
        for reader, _ in writers:
            await reader.readline()
        async with at.peer() as one_too_many:
            assert (await one_too_many.reply()).startswith("421")
        for _, writer in writers:
            writer.close()


async def test_it_ends_although_somebody_is_connected() -> None:
    async with listening() as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.listener.port)
        await reader.readline()

    assert await reader.read() == b""
    writer.close()
