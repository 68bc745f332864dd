"""Unsubscribing over real HTTP and real SMTP: by the link of a mail, from its category and from nothing else."""

import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.flow.conftest import Knows
from tests.support.backends import Backend
from tests.support.gateways import Gateway, running

ADA = "ada@example.test"
POLICY = email.policy.default.clone(raise_on_defect=True)
WELCOME: dict[str, Any] = {
    "recipient": {"email": ADA},
    "channels": ["email"],
    "template": "welcome",
    "data": {"name": "Ada"},
    "category": "newsletter",
}


@asynccontextmanager
async def gateway(directory: Path, port: int, backend: Backend | None = None) -> AsyncIterator[Gateway]:
    """Run a gateway whose newsletter may be unsubscribed from."""
    sections: dict[str, Any] = {
        "http": {"port": port, "public_url": f"http://127.0.0.1:{port}"},
        "email": {"unsubscribe_categories": ["newsletter", "offers"], "unsubscribe_secret": "s" * 32},
    }
    async with running(directory, backend=backend, **sections) as opened:
        yield opened


async def state(opened: Gateway, **changes: Any) -> str:
    """Submit; return how it ended."""
    sent = await opened.submit(WELCOME, **changes)
    return str((await opened.ended(sent["id"]))["state"])


def newest(opened: Gateway) -> Any:
    """Return the newest mail that the server has."""
    return email.message_from_bytes(next(opened.mailbox.newest()).raw, policy=POLICY)


def link(opened: Gateway) -> str:
    return str(newest(opened)["List-Unsubscribe"]).removeprefix("<").removesuffix(">")


async def test_one_click_holds_back_the_category_and_nothing_else(
    tmp_path: Path, unused_tcp_port: int, backend: Backend, knows: Knows
) -> None:
    async with gateway(tmp_path, unused_tcp_port, backend) as opened, httpx.AsyncClient() as anybody:
        sent = await opened.submit(WELCOME)
        assert (await opened.ended(sent["id"]))["state"] == "delivered"
        url = link(opened)
        assert newest(opened)["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert url in newest(opened).get_body(("plain",)).get_content()

        page = await anybody.get(url)
        answer = await anybody.post(url, data={"List-Unsubscribe": "One-Click"})
        assert (page.status_code, answer.status_code, answer.history) == (200, 200, [])
        await knows(1)

        assert await state(opened) == "suppressed"
        assert await state(opened, category="orders") == "delivered"
        assert await state(opened, category="offers") == "delivered"
        assert await state(opened, recipient={"email": "bob@example.test"}) == "delivered"

        [found] = (await opened.client.get("/v1/suppressions", params={"address": ADA})).json()["items"]
        assert (found["category"], found["reason"], found["source"]) == (
            *("newsletter", "unsubscribe"),
            "unsubscribe_link",
        )
        told = await opened.until(f"/v1/notifications/{sent['id']}", lambda each: bool(_receipts(each)))
        assert told["state"] == "delivered"
        assert [event["data"]["category"] for event in _receipts(told)] == ["newsletter"]

        await opened.client.delete(f"/v1/suppressions/{found['id']}")
        assert await state(opened) == "delivered"


async def test_a_get_and_a_forged_link_change_nothing(tmp_path: Path, unused_tcp_port: int, knows: Knows) -> None:
    async with gateway(tmp_path, unused_tcp_port) as opened, httpx.AsyncClient() as anybody:
        assert await state(opened) == "delivered"
        url = link(opened)
        await anybody.get(url)
        forged = await anybody.post(url[:-1] + ("A" if url[-1] != "A" else "B"), data={"List-Unsubscribe": "One-Click"})
        assert forged.status_code == 404
        # Another one that does unsubscribe: whatever the first two had done would be known by then.
        assert await state(opened, recipient={"email": "bob@example.test"}) == "delivered"
        await anybody.post(link(opened), data={"List-Unsubscribe": "One-Click"})
        await knows(1)

        assert await state(opened) == "delivered"


async def test_a_mail_of_another_category_has_no_link(tmp_path: Path, unused_tcp_port: int) -> None:
    async with gateway(tmp_path, unused_tcp_port) as opened:
        assert await state(opened, category="orders") == "delivered"

        assert newest(opened)["List-Unsubscribe"] is None
        assert "nsubscribe" not in newest(opened).as_string()


def _receipts(told: dict[str, Any]) -> list[dict[str, Any]]:
    return [event for event in told["events"] if event["type"] == "tocsin.receipt.unsubscribed"]
