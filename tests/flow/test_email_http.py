"""Email through the whole gateway to the simulators of SES and Resend: signed, failed over, one mail for a key."""

from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dkim  # type: ignore[import-untyped] # it has no types
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from simulators.resend.simulator import simulator as resend
from simulators.ses.simulator import simulator as ses
from tests.support.gateways import Gateway, running
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

ADDRESS = "ada@example.test"
CONTENT = {"email": {"subject": "Grüße", "text": "Hello", "html": "<p>Hello</p>"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A gateway that sends mail through the simulators, and their control."""

    gateway: Gateway
    control: httpx.AsyncClient

    async def sent(self, address: str = ADDRESS, **changes: Any) -> dict[str, Any]:
        """Submit a mail; return the one life of its delivery once it has ended."""
        document = {"recipient": {"email": address}, "channels": ["email"], "content": CONTENT}
        answer = await self.gateway.submit(document, **changes)
        told = await self.gateway.ended(answer["id"])
        life: dict[str, Any] = told["deliveries"][0]["lives"][-1]
        return life

    async def fault(self, provider: str, **fault: Any) -> None:
        """Put a fault in force."""
        response = await self.control.post(f"/{provider}/faults", json=fault)
        assert response.status_code == 201, response.text

    async def received(self, provider: str) -> list[dict[str, Any]]:
        """Return the mails that a provider took, the newest first."""
        found: list[dict[str, Any]] = (await self.control.get(f"/{provider}/messages")).json()["messages"]
        return found


def attempts(life: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is told of each attempt."""
    return [event["data"] for event in life["events"] if event["type"] == "tocsin.delivery.attempted"]


def provider_id(life: dict[str, Any]) -> str:
    """Return what the provider called the mail that it took."""
    [delivered] = [event["data"] for event in life["events"] if event["type"] == "tocsin.delivery.delivered"]
    return str(delivered["provider_id"])


@asynccontextmanager
async def staged(
    directory: Path,
    *routes: str,
    speed: float = 1,
    email: Mapping[str, Any] | None = None,
    worker: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stage]:
    """Run simulators and a gateway that uses them."""
    async with simulating([ses, resend], clock=SystemClock(), port=0) as pages:
        base = pages["ses"].removesuffix("/ses/")
        async with (
            httpx.AsyncClient(base_url=base) as control,
            running(
                directory,
                speed=speed,
                email={"routes": routes, "sender": "Shop <no-reply@shop.example>", **(email or {})},
                # Nobody is to be told later: the simulators would look for a demo to tell.
                ses={**ses.overrides["ses"], "base_url": pages["ses"], "sns_topic": None},
                resend={**resend.overrides["resend"], "base_url": pages["resend"], "webhook_secret": None},
                worker=dict(worker or {}),
            ) as gateway,
        ):
            yield Stage(gateway=gateway, control=control)


@pytest.mark.parametrize("provider", ["ses", "resend"])
async def test_a_mail_is_delivered(tmp_path: Path, provider: str) -> None:
    async with staged(tmp_path, provider) as stage:
        life = await stage.sent()
        [mail] = await stage.received(provider)
        [attempt] = attempts(life)

        assert (life["state"], attempt["provider"]) == ("delivered", provider)
        assert (mail["recipients"], mail["subject"], mail["text"].strip()) == ([ADDRESS], "Grüße", "Hello")
        assert provider_id(life) in mail["message_id"]
        assert stage.gateway.mailbox.total == 0


async def test_an_attachment_travels_through_resend(tmp_path: Path) -> None:
    file = {"filename": "Übersicht.txt", "content_type": "text/plain", "content": b64encode(b"files").decode()}
    async with staged(tmp_path, "resend") as stage:
        await stage.sent(attachments=[file])
        [mail] = await stage.received("resend")
        source = (await stage.control.get(f"/resend/messages/{mail['id']}/source")).text

        assert b64encode(b"files").decode() in source
        assert "filename*=utf-8''%C3%9Cbersicht.txt" in source


async def test_a_route_that_is_throttled_leaves_it_to_the_next_at_once(tmp_path: Path) -> None:
    async with staged(tmp_path, "ses", "resend", "smtp") as stage:
        await stage.fault("ses", status=429, error="TooManyRequestsException", text="Maximum sending rate exceeded.")
        life = await stage.sent()
        [attempt] = attempts(life)

        assert (life["state"], attempt["provider"]) == ("delivered", "resend")
        [tried] = attempt["tried"]
        assert (tried["provider"], tried["outcome"]) == ("ses", "throttled")
        assert await stage.received("ses") == []
        assert len(await stage.received("resend")) == 1
        assert stage.gateway.mailbox.total == 0


async def test_the_recipient_of_a_mail_whose_answer_was_lost_gets_one(tmp_path: Path) -> None:
    """Resend took it and hung up; the second attempt has the same key, and so is the same mail."""
    async with staged(tmp_path, "resend", speed=50) as stage:
        await stage.fault("resend", recipients=ADDRESS, drop=True, times=1)
        life = await stage.sent()
        [mail] = await stage.received("resend")

        assert [each["outcome"] for each in attempts(life)] == ["unconfirmed", "delivered"]
        assert provider_id(life) in mail["message_id"]
        assert (await stage.control.get("/resend/counts")).json()["by_recipient"] == {ADDRESS: 1}


async def test_an_answer_that_is_late_is_asked_for_again_with_the_same_key(tmp_path: Path) -> None:
    """A timeout after Resend took the mail: the key makes the attempt after it the same mail."""
    async with staged(tmp_path, "resend", speed=20, worker={"attempt_seconds": 2.0}) as stage:
        await stage.fault("resend", recipients=ADDRESS, delay_seconds=3, times=1)
        life = await stage.sent()

        assert attempts(life)[0]["outcome"] == "unconfirmed"
        assert attempts(life)[-1]["outcome"] == "delivered"
        assert (await stage.control.get("/resend/counts")).json()["by_recipient"] == {ADDRESS: 1}


async def test_what_ses_refuses_is_a_dead_letter(tmp_path: Path) -> None:
    async with staged(tmp_path, "ses", "smtp") as stage:
        life = await stage.sent("rejected@example.test")
        letters = await stage.gateway.until("/v1/dlq", lambda found: bool(found["items"]))

        assert (life["state"], letters["items"][0]["code"]) == ("dead", "400 MessageRejected")
        assert stage.gateway.mailbox.total == 0


async def test_our_signature_holds_although_ses_writes_date_and_message_id_anew(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    (tmp_path / "dkim.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
    records = {b"tocsin1._domainkey.shop.example.": b"v=DKIM1; k=ed25519; p=" + public}
    settings = {"dkim_key_file": str(tmp_path / "dkim.pem"), "dkim_selector": "tocsin1"}
    async with staged(tmp_path, "ses", email=settings) as stage:
        await stage.sent()
        [mail] = await stage.received("ses")
        source = (await stage.control.get(f"/ses/messages/{mail['id']}/source")).content

        assert mail["message_id"].endswith("@email.amazonses.com>")
        assert dkim.verify(source, dnsfunc=lambda name, timeout=5: records.get(name))  # noqa: ARG005 - its own
