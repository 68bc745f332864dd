"""TLS in both ways, and who may send."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import aiosmtplib
import pytest

from simulators.smtp.mailbox import Mailbox
from simulators.smtp.options import Credentials, Options

Listen = Callable[..., AbstractAsyncContextManager[int]]

RAW = b"Subject: Hi\r\n\r\nText\r\n"
ACCOUNT = Credentials(user="shop", password="s3cret-ü")


def _client(port: int, *, tls: ssl.SSLContext | None = None, implicit: bool = False) -> aiosmtplib.SMTP:
    starttls = tls is not None and not implicit
    return aiosmtplib.SMTP(
        hostname="localhost", port=port, tls_context=tls, use_tls=implicit, start_tls=starttls, timeout=10
    )


async def _send(client: aiosmtplib.SMTP, recipient: str = "anna@example.org") -> None:
    await client.sendmail("shop@example.org", [recipient], RAW)


@pytest.mark.parametrize("recipient", ["anna@example.org", "slow@example.org"])
async def test_starttls_secures_the_mail(
    listen: Listen, mailbox: Mailbox, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, recipient: str
) -> None:
    async with (
        listen(options=Options(starttls=server_tls)) as port,
        _client(port, tls=client_tls) as client,
    ):
        await client.ehlo()
        assert client.get_transport_info("cipher") is not None
        await _send(client, recipient)
        assert "starttls" not in client.esmtp_extensions

    assert mailbox.total == 1


async def test_tls_from_the_first_byte(
    listen: Listen, mailbox: Mailbox, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with (
        listen(tls=server_tls, options=Options(credentials=ACCOUNT)) as port,
        _client(port, tls=client_tls, implicit=True) as client,
    ):
        await client.ehlo()
        assert "starttls" not in client.esmtp_extensions
        await client.login("shop", "s3cret-ü")
        await _send(client)

    assert mailbox.total == 1


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("recipient", ["drop@example.org", "shutdown@example.org"])
async def test_connections_end_under_tls_too(
    listen: Listen, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, recipient: str, implicit: bool
) -> None:
    options = Options() if implicit else Options(starttls=server_tls)
    async with listen(options=options, tls=server_tls if implicit else None) as port:
        client = _client(port, tls=client_tls, implicit=implicit)
        await client.connect()
        with pytest.raises((aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPRecipientsRefused)):
            await _send(client, recipient)
        assert not client.is_connected


async def test_a_client_that_refuses_the_certificate_makes_no_noise(
    listen: Listen, server_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with listen(options=Options(starttls=server_tls)) as port:
        client = _client(port, tls=ssl.create_default_context())
        with pytest.raises(ssl.SSLCertVerificationError):
            await client.connect()
        client.close()

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_closing_does_not_wait_for_a_handshake(listen: Listen, server_tls: ssl.SSLContext) -> None:
    async with listen(options=Options(starttls=server_tls)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"EHLO x\r\nSTARTTLS\r\n")
        await reader.readuntil(b"220 Ready to start TLS\r\n")

    writer.close()


async def test_no_auth_is_offered_without_an_account(port: int) -> None:
    async with _client(port) as client:
        await client.ehlo()
        assert not client.server_auth_methods
        code, _ = await client.execute_command(b"AUTH", b"PLAIN", b"AHNob3AAcw==")
        assert code == 504
        await _send(client)


@pytest.mark.parametrize("mechanism", ["plain", "login"])
async def test_the_account_may_send(listen: Listen, mailbox: Mailbox, mechanism: str) -> None:
    async with listen(options=Options(credentials=ACCOUNT)) as port, _client(port) as client:
        await client.ehlo()
        assert set(client.server_auth_methods) == {"plain", "login"}
        await getattr(client, f"auth_{mechanism}")("shop", "s3cret-ü")
        await _send(client)

    assert mailbox.total == 1


@pytest.mark.parametrize("mechanism", ["plain", "login"])
@pytest.mark.parametrize(("user", "password"), [("shop", "wrong"), ("other", "s3cret-ü")])
async def test_nobody_else_may(listen: Listen, mailbox: Mailbox, mechanism: str, user: str, password: str) -> None:
    async with listen(options=Options(credentials=ACCOUNT)) as port, _client(port) as client:
        await client.ehlo()
        with pytest.raises(aiosmtplib.SMTPAuthenticationError) as refused:
            await getattr(client, f"auth_{mechanism}")(user, password)
        with pytest.raises(aiosmtplib.SMTPSenderRefused) as unauthenticated:
            await _send(client)

    assert (refused.value.code, unauthenticated.value.code) == (535, 530)
    assert mailbox.total == 0


async def test_where_starttls_is_offered_the_password_waits_for_it(
    listen: Listen, mailbox: Mailbox, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with listen(options=Options(starttls=server_tls, credentials=ACCOUNT)) as port:
        async with _client(port) as client:
            await client.ehlo()
            assert not client.server_auth_methods
            code, _ = await client.execute_command(b"AUTH", b"PLAIN", b"AHNob3AAcw==")
            assert code == 538
        async with _client(port, tls=client_tls) as client:
            await client.login("shop", "s3cret-ü")
            await _send(client)

    assert mailbox.total == 1


def test_the_password_is_not_shown() -> None:
    assert "s3cret" not in repr(Options(credentials=ACCOUNT))
