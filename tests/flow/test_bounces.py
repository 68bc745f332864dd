"""Mail that comes back, through the whole gateway: a receipt in the timeline, and an address that is not used again."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from simulators.smtp import builtin
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from simulators.smtp.reports import report
from simulators.smtp.returning import returning
from simulators.smtp.server import listening
from tests.flow.mail_told_of import MailStage, events
from tests.support.gateways import running
from tocsin.runtime.clock import SystemClock

DOMAIN = "bounces.shop.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage(MailStage):
    """A gateway whose mail comes back, and the mailbox that it went to."""

    mailbox: Mailbox


@asynccontextmanager
async def staged(directory: Path, port: int | None = None) -> AsyncIterator[Stage]:
    """Run a gateway that mail comes back to: by LMTP at a port, or over HTTP only."""
    clock = SystemClock()
    mailbox, faults = Mailbox(now=clock.now), Faults(builtin.faults())
    bounces = {"domain": DOMAIN, "secret": "a secret of the shop"}
    async with AsyncExitStack() as stack:
        returner = None
        if port is not None:
            returner = await stack.enter_async_context(returning("127.0.0.1", port))
            bounces["listen"] = f"127.0.0.1:{port}"
        smtp = await stack.enter_async_context(
            listening(mailbox=mailbox, faults=faults, clock=clock, returner=returner)
        )
        gateway = await stack.enter_async_context(running(directory, email={"port": smtp}, bounces=bounces))
        yield Stage(gateway=gateway, mailbox=mailbox)


async def test_a_hard_bounce_is_told_and_the_address_not_used_again(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        told = await stage.sent("bounced@example.test")
        receipt = await stage.until_told(told["id"], "tocsin.receipt.failed")
        held = await stage.gateway.until("/v1/suppressions?channel=email", lambda found: bool(found["items"]))
        await stage.until_suppressed("bounced@example.test")

        assert told["state"] == "delivered"
        assert (receipt["code"], receipt["provider"]) == ("550 5.1.1", "smtp")
        assert receipt["address"] == "bounced@example.test"
        assert "bounced@" not in receipt["message"]
        assert (held["items"][0]["reason"], held["items"][0]["address"]) == ("hard_bounce", "bounced@example.test")


async def test_a_complaint_is_told_and_the_address_not_used_again(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        told = await stage.sent("complained@example.test")
        await stage.until_told(told["id"], "tocsin.receipt.complained")
        held = await stage.gateway.until("/v1/suppressions?channel=email", lambda found: bool(found["items"]))
        await stage.until_suppressed("complained@example.test")

        assert held["items"][0]["reason"] == "complaint"


@pytest.mark.parametrize(
    ("address", "event", "code"),
    [
        ("bounced-full@example.test", "tocsin.receipt.failed", "552 5.2.2"),
        ("delayed@example.test", "tocsin.receipt.delayed", "451 4.4.1"),
    ],
)
async def test_what_may_pass_is_told_and_suppresses_nobody(
    tmp_path: Path, unused_tcp_port: int, address: str, event: str, code: str
) -> None:
    async with staged(tmp_path, unused_tcp_port) as stage:
        told = await stage.sent(address)
        receipt = await stage.until_told(told["id"], event)
        again = await stage.sent(address)

        assert receipt["code"] == code
        assert "address" not in receipt
        assert (await stage.gateway.client.get("/v1/suppressions")).json()["items"] == []
        assert again["state"] == "delivered"


async def test_a_bounce_may_be_handed_in_over_http(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        told = await stage.sent("ada@example.test")
        [mail] = stage.mailbox.newest()
        raw, post = report("bounced", mail, "ada@example.test"), stage.gateway.client.post
        headers = {"Content-Type": "message/rfc822"}
        first = await post("/v1/email/bounces", content=raw, headers=headers)
        second = await post("/v1/email/bounces", content=raw, headers=headers)
        receipt = await stage.until_told(told["id"], "tocsin.receipt.failed")
        strange = await post("/v1/email/bounces", content=raw.replace(b"bounce+", b"bounce-"), headers=headers)
        large = await post("/v1/email/bounces", content=b"x" * 3_000_000, headers=headers)
        nobody = await post("/v1/email/bounces", content=raw, headers={**headers, "Authorization": "Bearer tcs_x"})
        metrics = (await stage.gateway.client.get("/metrics")).text
        timeline = (await stage.gateway.client.get(f"/v1/notifications/{told['id']}")).json()

        assert (first.status_code, first.json(), second.json()) == (202, {"result": "bounced"}, {"result": "bounced"})
        assert receipt["address"] == "ada@example.test"
        assert [each["type"] for each in events(timeline)].count("tocsin.receipt.failed") == 1
        assert (strange.status_code, strange.json()) == (202, {"result": "unmatched"})
        assert (large.status_code, nobody.status_code) == (413, 401)
        assert 'tocsin_bounces_total{result="unmatched"} 1.0' in metrics


async def test_without_the_setting_everything_is_as_it_was(tmp_path: Path) -> None:
    async with running(tmp_path) as gateway:
        answer = await gateway.submit()
        await gateway.ended(answer["id"])
        [mail] = gateway.mailbox.newest()
        response = await gateway.client.post("/v1/email/bounces", content=b"x")

        assert mail.mail_from == "no-reply@localhost.invalid"
        assert response.status_code == 404
