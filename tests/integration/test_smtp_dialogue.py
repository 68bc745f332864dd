"""The SMTP provider against a server that misbehaves on command: every place where a dialogue can break."""

import asyncio

import pytest

from channels.email.mail import Mail
from tests.integration.scripted_smtp import DROP, HANG
from tests.integration.smtp_sending import Claims, Start, provider, send
from tocsin.errors import NotClaimed
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ({"GREETING": [DROP]}, Deferred(cause="connect_failed")),
        ({"GREETING": ["421 busy"]}, Throttled(scope="connection", code="421", message="busy")),
        ({"GREETING": ["554 no"]}, Misconfigured(detail="server_refuses_us", code="554", message="no")),
        (
            {"GREETING": ["HTTP/1.1 400 Bad Request"]},
            Misconfigured(
                detail="the server does not answer like an SMTP server",
                code="-1",
                message="Malformed SMTP response line: HTTP/1.1 400 Bad Request",
            ),
        ),
        ({"EHLO": [DROP]}, Deferred(cause="helo_failed")),
        ({"MAIL": [DROP]}, Deferred(cause="connection_lost")),
        ({"MAIL": ["421 4.7.0 slow down"]}, Throttled(scope="connection", code="421 4.7.0", message="4.7.0 slow down")),
        ({"RCPT": [DROP]}, Deferred(cause="connection_lost")),
        (
            {"RCPT": ["550 5.1.1 <ada@example.com>: unknown"]},
            Rejected(
                reason="unknown_address",
                scope="address",
                code="550 5.1.1",
                message="5.1.1 <address>: unknown",
                suppress="hard_bounce",
            ),
        ),
        ({"RCPT": ["450 4.2.0 Greylisted"]}, Deferred),
        ({"RCPT": ["nonsense"]}, Deferred),
        ({"DATA": [DROP]}, Deferred(cause="connection_lost")),
        ({"DATA": ["250 what?"]}, Deferred(cause="broken_dialogue", code="250", message="what?")),
        ({"DATA": ["421 bye"]}, Throttled(scope="connection", code="421", message="bye")),
        ({"BODY": [DROP]}, Unconfirmed(phase="data")),
        ({"BODY": ["nonsense"]}, Unconfirmed(phase="data")),
        ({"BODY": ["421 4.3.2 bye"]}, Throttled(scope="connection", code="421 4.3.2", message="4.3.2 bye")),
        ({"BODY": ["554 5.6.0 bad"]}, Rejected),
    ],
)  # fmt: skip
async def test_where_it_breaks_is_what_it_is(
    scripted: Start, script: dict[str, list[str]], expected: Outcome | type[Outcome]
) -> None:
    server = await scripted(script=script)

    async with provider(server.port, backoff_seconds=0.0) as smtp:
        outcome = await send(smtp)
        after = await send(smtp)

    assert outcome == expected or (isinstance(expected, type) and isinstance(outcome, expected))
    assert isinstance(after, Delivered), "the failure must not reach the next message"


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("GREETING", Deferred(cause="connect_timeout")),
        ("EHLO", Deferred(cause="helo_timeout")),
        ("MAIL", Deferred(cause="mail_timeout")),
        ("RCPT", Deferred(cause="rcpt_timeout")),
        ("DATA", Deferred(cause="data_timeout")),
        ("BODY", Unconfirmed(phase="data")),
    ],
)
async def test_silence_ends_with_the_attempt(scripted: Start, verb: str, expected: Outcome) -> None:
    server = await scripted(script={verb: [HANG]})

    async with provider(server.port) as smtp:
        assert await send(smtp, seconds=2) == expected


async def test_a_cancelled_send_discards_its_connection(scripted: Start) -> None:
    server = await scripted(script={"RCPT": [HANG]})

    async with provider(server.port) as smtp:
        sending = asyncio.create_task(send(smtp))
        await server.reached["RCPT"].wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        outcome = await send(smtp)

    assert isinstance(outcome, Delivered)
    assert server.connections == 2
    assert len(server.messages) == 1


async def test_a_refused_claim_passes_through_and_leaves_the_connection_fit(scripted: Start) -> None:
    server = await scripted()
    claims = Claims(server, refuse=True)

    async with provider(server.port) as smtp:
        with pytest.raises(NotClaimed):
            await send(smtp, claims)
        assert isinstance(await send(smtp), Delivered)

    assert claims.heard == [["EHLO"]]
    assert server.connections == 1
    assert server.verbs()[:4] == ["EHLO", "MAIL", "RCPT", "DATA"]


async def test_a_refused_envelope_is_reset_before_the_next(scripted: Start) -> None:
    server = await scripted(script={"RCPT": ["550 5.1.1 no"]})

    async with provider(server.port) as smtp:
        await send(smtp)
        await send(smtp)

    assert server.connections == 1
    assert server.verbs()[:6] == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT"]


async def test_what_the_greeting_rules_out_is_neither_claimed_nor_sent(scripted: Start) -> None:
    server = await scripted(extensions=["SIZE 10"])
    claims = Claims(server)
    foreign = Mail(sender="a@b.example", recipient="ä@b.example", data=b"x\r\n", size=3, needs_smtputf8=True)

    async with provider(server.port) as smtp:
        large = await send(smtp, claims)
        strange = await send(smtp, claims, mail=foreign)

    assert isinstance(large, Rejected)
    assert (large.reason, large.scope) == ("message_too_large", "message")
    assert isinstance(strange, Rejected)
    assert (strange.reason, strange.scope) == ("smtputf8_not_supported", "route")
    assert claims.heard == []
    assert "MAIL" not in server.verbs()


async def test_smtputf8_and_size_are_declared(scripted: Start) -> None:
    server = await scripted(extensions=["SIZE 1000", "SMTPUTF8", "8BITMIME"])
    foreign = Mail(sender="a@b.example", recipient="ä@b.example", data=b"x\r\n", size=3, needs_smtputf8=True)

    async with provider(server.port) as smtp:
        assert isinstance(await send(smtp, mail=foreign), Delivered)

    assert server.commands[1:3] == ["MAIL FROM:<a@b.example> SIZE=3 SMTPUTF8 BODY=8BITMIME", "RCPT TO:<ä@b.example>"]


async def test_codes_that_the_table_does_not_know_are_told(scripted: Start) -> None:
    server = await scripted(script={"RCPT": ["599 5.9.9 what"]})
    unmapped: list[str] = []

    async with provider(server.port, unmapped=unmapped) as smtp:
        await send(smtp)

    assert unmapped == ["599 5.9.9"]
