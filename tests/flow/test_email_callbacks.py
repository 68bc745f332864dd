"""What SES and Resend tell later of a mail, through the whole gateway: signed calls of both simulators."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from simulators.resend.simulator import simulator as resend
from simulators.ses.simulator import simulator as ses
from tests.flow.mail_told_of import MailStage
from tests.support.gateways import running
from tocsin.runtime.clock import SystemClock
from tocsin.runtime.simulating import simulating

PROVIDERS = ["ses", "resend"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(MailStage):
    """A gateway that sends mail through the simulators and is called by them, and their control."""

    control: httpx.AsyncClient


@asynccontextmanager
async def staged(directory: Path, provider: str, port: int) -> AsyncIterator[Stage]:
    """Run simulators, and a gateway that they tell of its mails."""
    async with simulating([ses, resend], clock=SystemClock(), port=0) as pages:
        base = pages["ses"].removesuffix("/ses/")
        of_ses = {**ses.overrides["ses"], "base_url": pages["ses"], "sns_url": pages["ses"] + "sns"}
        of_resend = {**resend.overrides["resend"], "base_url": pages["resend"]}
        async with (
            httpx.AsyncClient(base_url=base) as control,
            running(
                directory,
                http={"port": port},
                email={"routes": (provider,), "sender": "no-reply@shop.example"},
                ses=of_ses,
                resend=of_resend,
            ) as gateway,
        ):
            for name in PROVIDERS:
                endpoint = {"url": f"http://127.0.0.1:{port}/v1/callbacks/{name}"}
                assert (await control.put(f"/{name}/endpoint", json=endpoint)).status_code == 200
            yield Stage(gateway=gateway, control=control)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_delivery_is_confirmed(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, provider, unused_tcp_port) as stage:
        told = await stage.sent("ada@example.test")
        receipt = await stage.until_told(told["id"], "tocsin.receipt.confirmed")
        delivered = await stage.until_told(told["id"], "tocsin.delivery.delivered")

        assert receipt["provider"] == provider
        assert receipt["provider_id"] == delivered["provider_id"]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(
    "told_of",
    [
        ("bounced@example.test", "tocsin.receipt.failed", "hard_bounce"),
        ("complained@example.test", "tocsin.receipt.complained", "complaint"),
    ],
)
async def test_an_address_that_is_no_good_is_not_used_again(
    tmp_path: Path, unused_tcp_port: int, provider: str, told_of: tuple[str, str, str]
) -> None:
    address, event, reason = told_of
    async with staged(tmp_path, provider, unused_tcp_port) as stage:
        told = await stage.sent(address)
        receipt = await stage.until_told(told["id"], event)
        held = await stage.gateway.until("/v1/suppressions?channel=email", lambda found: bool(found["items"]))
        await stage.until_suppressed(address)

        assert told["state"] == "delivered"
        assert receipt["address"] == address
        assert (held["items"][0]["reason"], held["items"][0]["address"]) == (reason, address)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_may_pass_suppresses_nobody(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, provider, unused_tcp_port) as stage:
        full = await stage.sent("bounced-full@example.test")
        late = await stage.sent("delayed@example.test")
        failed = await stage.until_told(full["id"], "tocsin.receipt.failed")
        delayed = await stage.until_told(late["id"], "tocsin.receipt.delayed")

        assert failed["code"].startswith("552")
        assert "address" not in failed
        assert "address" not in delayed
        assert (await stage.gateway.client.get("/v1/suppressions")).json()["items"] == []


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_somebody_may_have_it_tell_of_a_mail(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, provider, unused_tcp_port) as stage:
        told = await stage.sent("ada@example.test")
        [mail] = (await stage.control.get(f"/{provider}/messages")).json()["messages"]
        called = await stage.control.post(f"/{provider}/messages/{mail['id']}/events/complained")
        receipt = await stage.until_told(told["id"], "tocsin.receipt.complained")

        assert called.json() == {"status": 204}
        assert receipt["address"] == "ada@example.test"


async def test_a_topic_is_subscribed_to(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, "ses", unused_tcp_port) as stage:
        answer = await stage.control.post("/ses/subscription")

        assert answer.json() == {"status": 204, "confirmed": True}


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_what_is_not_signed_is_refused(tmp_path: Path, unused_tcp_port: int, provider: str) -> None:
    async with staged(tmp_path, provider, unused_tcp_port) as stage:
        response = await stage.gateway.client.post(f"/v1/callbacks/{provider}", json={"type": "email.bounced"})

        assert response.status_code == 403


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_without_the_setting_there_is_no_route(tmp_path: Path, provider: str) -> None:
    async with running(tmp_path) as gateway:
        assert (await gateway.client.post(f"/v1/callbacks/{provider}", json={})).status_code == 404
