"""The SMTP provider against a server that misbehaves on command: every place where a dialogue can break."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from channels.email.mail import Mail
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tests.integration.certificates import Certificates
from tests.integration.scripted_smtp import DROP, HANG, ScriptedServer
from tocsin.errors import NotClaimed, SettingsError
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

Start = Callable[..., Awaitable[ScriptedServer]]
MAIL = Mail(
    sender="shop@example.com",
    recipient="ada@example.com",
    data=b"Subject: x\r\n\r\n.dot\r\n",
    size=20,
    needs_smtputf8=False,
)


class Claims:
    """Counts claims, and notes what the server had heard when the claim was made."""

    def __init__(self, server: ScriptedServer, *, refuse: bool = False) -> None:
        self._server = server
        self._refuse = refuse
        self.heard: list[list[str]] = []

    async def __call__(self) -> None:
        self.heard.append(self._server.verbs())
        if self._refuse:
            raise NotClaimed("settled before")


def make(port: int, **changes: Any) -> SmtpProvider:
    arguments: dict[str, Any] = {"tls": "none", "helo_name": "client.example.com", "connections": 1}
    monotonic = changes.pop("monotonic", time.monotonic)
    unmapped = changes.pop("unmapped", [])
    settings = EmailSettings(port=port, **(arguments | changes))
    return SmtpProvider(settings, monotonic=monotonic, on_unmapped=unmapped.append)


@asynccontextmanager
async def provider(port: int, **changes: Any) -> AsyncIterator[SmtpProvider]:
    made = make(port, **changes)
    try:
        yield made
    finally:
        await made.aclose()


async def send(
    smtp: SmtpProvider, claim: Callable[[], Awaitable[None]] | None = None, *, mail: Mail = MAIL, seconds: float = 20
) -> Outcome:
    async def granted() -> None:
        return

    deadline = asyncio.get_running_loop().time() + seconds
    return await smtp.send(mail, key="k", deadline=deadline, claim=claim or granted)


async def test_a_mail_is_taken_and_the_connection_reused(scripted: Start) -> None:
    server = await scripted()
    claims = Claims(server)

    async with provider(server.port) as smtp:
        outcomes = [await send(smtp, claims) for _ in range(3)]

    assert outcomes[0] == Delivered(provider_id="SCRIPTED1", code="250 2.0.0", message="2.0.0 Ok: queued as SCRIPTED1")
    assert outcomes[1:] == outcomes[:1] * 2
    assert server.connections == 1
    assert server.messages == [b"Subject: x\r\n\r\n..dot\r\n.\r\n"] * 3
    assert claims.heard[0] == ["EHLO"]
    assert [len(heard) for heard in claims.heard] == [1, 4, 7]


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
        assert await send(smtp, seconds=0.2) == expected


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


async def test_a_send_that_is_cancelled_while_it_connects_frees_its_place(scripted: Start) -> None:
    server = await scripted(script={"GREETING": [HANG]})

    async with provider(server.port) as smtp:
        sending = asyncio.create_task(send(smtp))
        await server.reached["GREETING"].wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert isinstance(await send(smtp), Delivered)


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


async def test_no_more_connections_than_allowed(scripted: Start) -> None:
    server = await scripted()

    async with provider(server.port, connections=3) as smtp:
        outcomes = await asyncio.gather(*(send(smtp) for _ in range(20)))

    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert server.most_open <= 3


async def test_who_finds_no_free_connection_in_time_is_deferred(scripted: Start) -> None:
    server = await scripted(script={"MAIL": [HANG]})

    async with provider(server.port) as smtp:
        first = asyncio.create_task(send(smtp, seconds=1))
        await server.reached["MAIL"].wait()
        assert await send(smtp, seconds=0.05) == Deferred(cause="no_free_connection")
        assert await first == Deferred(cause="mail_timeout")


async def test_connections_retire(scripted: Start) -> None:
    server = await scripted()
    now = [0.0]

    async with provider(server.port, messages_per_connection=2, monotonic=lambda: now[0]) as smtp:
        for _ in range(3):
            await send(smtp)
        assert server.connections == 2
        now[0] += 10
        await send(smtp)
        assert (server.connections, server.verbs().count("RSET")) == (2, 1)
        now[0] += 29
        await send(smtp)
        assert server.connections == 3
        now[0] += 31
        await send(smtp)
        assert server.connections == 4


async def test_a_connection_that_died_at_rest_is_replaced(scripted: Start) -> None:
    server = await scripted(script={"RSET": [DROP]})
    now = [0.0]

    async with provider(server.port, monotonic=lambda: now[0]) as smtp:
        await send(smtp)
        now[0] += 10
        assert isinstance(await send(smtp), Delivered)

    assert server.connections == 2


async def test_a_dead_server_is_not_hammered(scripted: Start) -> None:
    server = await scripted(script={"GREETING": [DROP, DROP]})
    now = [0.0]

    async with provider(server.port, monotonic=lambda: now[0], backoff_seconds=1.0) as smtp:
        for moment, connections in ((0.0, 1), (0.9, 1), (1.0, 2), (2.9, 2)):
            now[0] = moment
            assert await send(smtp) == Deferred(cause="connect_failed")
            assert server.connections == connections
        now[0] = 3.0
        assert isinstance(await send(smtp), Delivered)


async def test_nobody_listens(scripted: Start) -> None:
    server = await scripted()
    await server.stop()

    async with provider(server.port) as smtp:
        assert await send(smtp) == Deferred(cause="connection_refused")


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


async def test_tls_is_demanded(scripted: Start) -> None:
    server = await scripted()

    async with provider(server.port, tls="starttls") as smtp:
        outcome = await send(smtp)

    assert outcome == Misconfigured(detail="the server offers no STARTTLS, which `tls` demands")
    assert "MAIL" not in server.verbs()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_mail_goes_over_tls_with_auth(scripted: Start, certificates: Certificates, tls: str) -> None:
    server = await scripted(
        extensions=["STARTTLS", "AUTH PLAIN LOGIN"],
        tls=certificates.server_context(),
        implicit_tls=tls == "implicit",
    )

    async with provider(
        server.port, tls=tls, ca_file=str(certificates.ca_file), username="shop", password="s3cret"
    ) as smtp:
        assert isinstance(await send(smtp), Delivered)

    assert "AUTH PLAIN AHNob3AAczNjcmV0" in server.commands


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
async def test_a_certificate_that_is_not_trusted_is_a_misconfiguration(
    scripted: Start, certificates: Certificates, tls: str
) -> None:
    server = await scripted(extensions=["STARTTLS"], tls=certificates.server_context(), implicit_tls=tls == "implicit")

    async with provider(server.port, tls=tls) as smtp:
        untrusted = await send(smtp)

    assert isinstance(untrusted, Misconfigured)
    assert "certificate is not trusted" in untrusted.detail
    assert "MAIL" not in server.verbs()


async def test_a_certificate_for_another_name_is_a_misconfiguration(
    scripted: Start, certificates: Certificates
) -> None:
    server = await scripted(extensions=["STARTTLS"], tls=certificates.other_name_context())

    async with provider(server.port, tls="starttls", ca_file=str(certificates.ca_file)) as smtp:
        outcome = await send(smtp)

    assert isinstance(outcome, Misconfigured)
    assert "mismatch" in outcome.detail
    assert "MAIL" not in server.verbs()


async def test_implicit_tls_to_a_plain_server_is_a_misconfiguration(scripted: Start) -> None:
    server = await scripted()

    async with provider(server.port, tls="implicit") as smtp:
        assert isinstance(await send(smtp), Misconfigured)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [("535 5.7.8 no", Misconfigured), ("454 4.7.0 later", Deferred), ("421 bye", Throttled)],
)
async def test_a_refused_password_is_tried_once(
    scripted: Start, certificates: Certificates, reply: str, kind: type[Outcome]
) -> None:
    server = await scripted(
        extensions=["STARTTLS", "AUTH PLAIN LOGIN CRAM-MD5"],
        tls=certificates.server_context(),
        script={"AUTH": [reply]},
    )

    trust = {"tls": "starttls", "ca_file": str(certificates.ca_file)}
    async with provider(server.port, **trust, username="a", password="b") as smtp:
        assert isinstance(await send(smtp), kind)

    assert server.verbs().count("AUTH") == 1


async def test_a_mechanism_that_is_not_offered_is_a_misconfiguration(
    scripted: Start, certificates: Certificates
) -> None:
    server = await scripted(extensions=["STARTTLS", "AUTH LOGIN"], tls=certificates.server_context())

    trust = {"tls": "starttls", "ca_file": str(certificates.ca_file)}
    async with provider(server.port, **trust, username="a", password="b") as smtp:
        outcome = await send(smtp)

    assert outcome == Misconfigured(detail="the server does not offer AUTH plain; offered: login")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tls": "none", "username": "a", "password": "b"}, "needs TLS"),
        ({"tls": "starttls", "username": "a"}, "password_file"),
        ({"tls": "starttls", "password": "b"}, "username is not"),
        ({"tls": "starttls", "username": "a", "password": "b", "password_file": "c"}, "keep one"),
        ({"tls": "starttls", "username": "a", "password_file": "/nowhere/at/all"}, "cannot be read"),
        ({"tls": "starttls", "ca_file": "/nowhere/at/all"}, "No such file"),
        ({"tls": "none", "ca_file": "x"}, "ca_file"),
        ({"helo_name": "a b"}, "helo_name"),
        ({"connections": 0}, "at least 1"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        make(25, **changes)


def test_a_password_file_may_end_its_line(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("s3cret\n", encoding="utf-8")

    assert make(25, tls="starttls", username="a", password_file=str(tmp_path / "password")).name == "smtp"
