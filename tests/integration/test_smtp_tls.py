"""The SMTP provider over TLS: encrypted to whom it trusts only, and a password once."""

import pytest

from tests.integration.certificates import Certificates
from tests.integration.smtp_sending import Start, provider, send
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Throttled


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
