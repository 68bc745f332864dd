"""The SMTP provider against a real Postfix, with STARTTLS and a certificate that is checked."""

import asyncio
import email
import email.policy
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from channels.email.address import Mailbox
from channels.email.mail import Mail
from channels.email.mime import Skeleton
from channels.email.settings import EmailSettings
from channels.email.smtp import SmtpProvider
from tests.integration.certificates import Certificates
from tests.integration.postfix_instance import Postfix
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected

STRICT = email.policy.default.clone(raise_on_defect=True)


def mail(recipient: str = "ada@example.com", text: str = "Hello\n", subject: str = "Hello") -> Mail:
    skeleton = Skeleton(sender=Mailbox(name="Shop", address="shop@example.com"), message_id_domain="example.com")
    data = skeleton.message(
        key="dlv_1",
        identity=("default", subject, recipient),
        date=datetime(2026, 11, 1, tzinfo=UTC),
        to=recipient,
        subject=subject,
        text=text,
        html="<p>" + text,
    )
    return Mail(
        sender="shop@example.com",
        recipient=recipient,
        data=data,
        size=len(data),
        needs_smtputf8=not recipient.isascii(),
    )


async def granted() -> None:
    return


@pytest.fixture
async def provider(postfix: Postfix, certificates: Certificates) -> AsyncIterator[SmtpProvider]:
    made = provider_for(postfix, ca_file=str(certificates.ca_file))
    yield made
    await made.aclose()


def provider_for(postfix: Postfix, **changes: Any) -> SmtpProvider:
    settings = EmailSettings(port=postfix.port, helo_name="client.example.com", connections=2, **changes)
    return SmtpProvider(settings, monotonic=time.monotonic, on_unmapped=lambda _code: None)


async def send(provider: SmtpProvider, message: Mail) -> Outcome:
    deadline = asyncio.get_running_loop().time() + 20
    return await provider.send(message, key="k", deadline=deadline, claim=granted)


async def test_mail_arrives_as_it_was_built(postfix: Postfix, provider: SmtpProvider) -> None:
    before = len(postfix.delivered())
    text = ".\n..dots\nGrüße " + "x" * 200 + "\n"

    outcomes = await asyncio.gather(*(send(provider, mail(text=text, subject=f"n{n}")) for n in range(8)))

    assert all(isinstance(outcome, Delivered) and outcome.provider_id for outcome in outcomes)
    arrived = await asyncio.to_thread(postfix.wait_for, before + 8)
    messages = [email.message_from_bytes(raw, policy=STRICT) for raw in arrived[before:]]
    assert sorted(str(message["Subject"]) for message in messages) == [f"n{n}" for n in range(8)]
    body = messages[0].get_body(("plain",))
    assert body is not None
    assert body.get_content().removesuffix("\n") == text.removesuffix("\n")


@pytest.mark.parametrize(
    ("message", "kind", "reason"),
    [
        (mail("nobody@example.com"), Rejected, "unknown_address"),
        (mail("ada@elsewhere.example"), Misconfigured, "relaying_refused"),
        (mail("full@example.com"), Deferred, "mailbox_full"),
        (mail(text="x" * 120_000), Rejected, "message_too_large"),
    ],
)
async def test_refusals_are_told_apart(provider: SmtpProvider, message: Mail, kind: type[Outcome], reason: str) -> None:
    outcome = await send(provider, message)

    assert isinstance(outcome, kind)
    assert reason in (getattr(outcome, name, "") for name in ("reason", "detail", "cause"))
    assert "@" not in outcome.message
    assert isinstance(await send(provider, mail()), Delivered)


async def test_a_certificate_of_an_unknown_ca_is_a_misconfiguration(postfix: Postfix) -> None:
    async with aclosing(provider_for(postfix)) as provider:
        outcome = await send(provider, mail())

    assert isinstance(outcome, Misconfigured)
    assert "certificate is not trusted" in outcome.detail


async def test_plain_text_is_refused_by_a_server_that_demands_tls(postfix: Postfix) -> None:
    async with aclosing(provider_for(postfix, tls="none")) as provider:
        outcome = await send(provider, mail())

    assert isinstance(outcome, Misconfigured)
    assert outcome.code == "530 5.7.0"
