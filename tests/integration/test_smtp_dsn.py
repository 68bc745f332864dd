"""What a server is asked to tell of a mail, over the wire: only where it offers that, and only of what has a token."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from channels.email.mail import Mail
from channels.email.reference import References
from channels.email.return_path import ReturnPaths
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tests.integration.scripted_smtp import ScriptedServer
from tests.support.clock import ManualClock
from tocsin import ids
from tocsin.outcome import Delivered

Start = Callable[..., Awaitable[ScriptedServer]]
PATHS = ReturnPaths(References("0123456789abcdef"), domain="bounces.example.com")


def mail(recipient: str) -> Mail:
    notification = ids.notification_id(ManualClock().now(), bytes)
    return Mail(
        sender="shop@example.com",
        recipient=recipient,
        data=b"Subject: x\r\n\r\nx\r\n",
        size=17,
        needs_smtputf8=not recipient.isascii(),
        delivery_id=ids.delivery_id(notification, "email", recipient),
        notification_id=notification,
        tenant="default",
    )


async def envelope(server: ScriptedServer, recipient: str, return_paths: ReturnPaths | None = PATHS) -> list[str]:
    """Send a mail; return the commands of its envelope."""
    settings = EmailSettings(port=server.port, tls="none", helo_name="client.example.com")
    made = SmtpProvider(settings, monotonic=time.monotonic, on_unmapped=_uncounted, return_paths=return_paths)
    async with aclosing(made) as smtp:
        deadline = asyncio.get_running_loop().time() + 20
        sent = mail(recipient)
        assert isinstance(
            await smtp.send(sent, key=f"{sent.delivery_id}:0", deadline=deadline, claim=_granted), Delivered
        )
    return [command for command in server.commands if command.startswith(("MAIL", "RCPT"))]


async def _granted() -> None:
    return


async def test_a_server_that_offers_reports_is_asked_for_them(scripted: Start) -> None:
    server = await scripted(extensions=["DSN"])
    told, whom = await envelope(server, "ada+shop=1@example.com")
    sender, *options = told.removeprefix("MAIL FROM:").split(" ")
    token = sender.removeprefix("<bounce+").partition("@")[0]

    assert options == ["RET=HDRS", f"ENVID={token}"]
    assert PATHS.references.read(token) is not None
    assert whom == ("RCPT TO:<ada+shop=1@example.com> NOTIFY=FAILURE,DELAY ORCPT=rfc822;ada+2Bshop+3D1@example.com")


async def test_an_address_that_xtext_cannot_say_is_left_out(scripted: Start) -> None:
    server = await scripted(extensions=["DSN", "SMTPUTF8"])
    told, whom = await envelope(server, "ä@example.com")

    assert "ENVID=" in told
    assert whom == "RCPT TO:<ä@example.com> NOTIFY=FAILURE,DELAY"


async def test_a_server_that_offers_none_is_not_asked(scripted: Start) -> None:
    server = await scripted()
    told, whom = await envelope(server, "ada@example.com")

    assert told.startswith("MAIL FROM:<bounce+")
    assert told.endswith("@bounces.example.com>")
    assert whom == "RCPT TO:<ada@example.com>"


async def test_without_return_paths_everything_is_as_it_was(scripted: Start) -> None:
    server = await scripted(extensions=["DSN"])

    assert await envelope(server, "ada@example.com", None) == [
        "MAIL FROM:<shop@example.com>",
        "RCPT TO:<ada@example.com>",
    ]


def _uncounted(_code: str) -> None:
    return
