"""A gateway whose SMTP password changes in its file: nothing is lost, nothing is sent twice, nothing is restarted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.contract.providers.harness import Authority
from tests.contract.providers.smtp_peer import USERNAME, SmtpPeer, login, smtp_peer
from tests.support.gateways import Gateway, running
from tests.support.tap import Tap, tapped
from tests.support.waiting import until
from tocsin import envelope, topics
from tocsin.lifecycle import Event


@pytest.fixture
async def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SmtpPeer]:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with smtp_peer(authority.context) as made:
        yield made


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    return tmp_path / "password"


def email(peer: SmtpPeer, secret: Path) -> dict[str, Any]:
    return {"port": peer.port, "tls": "starttls", "username": USERNAME, "password_file": str(secret), "connections": 4}


def logins(peer: SmtpPeer) -> list[str]:
    """Return the passwords with which connections were made, each where it was first."""
    return list(dict.fromkeys(command for command in peer.commands if command.startswith("AUTH")))


async def readiness(gateway: Gateway, found: Callable[[int, dict[str, Any]], object]) -> tuple[int, dict[str, Any]]:
    """Return the gateway's status and what it says of the channel, once they are as wished."""

    async def look() -> tuple[int, dict[str, Any]]:
        while True:
            answer = await gateway.client.get("/readyz")
            check: dict[str, Any] = answer.json()["checks"]["channel_email"]
            if found(answer.status_code, check):
                return answer.status_code, check

    return await asyncio.wait_for(look(), timeout=60)


async def test_a_wrong_password_kills_nothing_and_is_mended_without_a_restart(
    tmp_path: Path, peer: SmtpPeer, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tap: Tap = tapped(monkeypatch)
    secret.write_text("wrong-password")
    peer.password = "right-password"
    async with running(tmp_path, speed=10, email=email(peer, secret)) as gateway:
        notifications = [(await gateway.submit())["id"] for _ in range(5)]
        _, told = await readiness(gateway, lambda status, check: status == 503 and not check["ok"])
        secret.write_text("right-password\n")
        ended = [await gateway.ended(each) for each in notifications]
        await readiness(gateway, lambda status, _: status == 200)
        letters = await gateway.client.get("/v1/dlq")
        events = [envelope.audit_event(record.value) for record in await tap.read(topics.AUDIT)]

    assert "smtp is closed" in told["detail"]
    assert [each["state"] for each in ended] == ["delivered"] * 5
    assert len(peer.messages) == 5
    assert letters.json()["items"] == []
    assert [event.type for event in events].count(Event.ATTEMPTED) == 5
    [rotated] = [event for event in events if event.type is Event.ROUTE_SECRETS_ROTATED]
    assert rotated.data == {"channel": "email", "providers": ["smtp"], "settings": ["email.password_file"]}
    assert not any("-password" in str(event.data) for event in events)


async def test_under_load_every_message_is_sent_once_before_or_after_the_change(
    tmp_path: Path, peer: SmtpPeer, secret: Path
) -> None:
    secret.write_text("first")
    async with running(tmp_path, speed=10, email=email(peer, secret)) as gateway:
        notifications: list[str] = []

        async def submit_until(done: asyncio.Event) -> None:
            while not done.is_set():
                notifications.append((await gateway.submit())["id"])
                await until(lambda: len(peer.messages) > len(notifications) - 20, what="the messages")

        done = asyncio.Event()
        submitting = asyncio.create_task(submit_until(done))
        secret.write_text("second")
        await until(lambda: len(logins(peer)) == 2, what="the second password")
        secret.write_text("third")
        await until(lambda: len(logins(peer)) == 3, what="the third password")
        done.set()
        await submitting
        ended = [await gateway.ended(each) for each in notifications]

    assert {each["state"] for each in ended} == {"delivered"}
    assert len(peer.messages) == len(notifications)
    assert logins(peer) == [login(password) for password in ("first", "second", "third")]


async def test_a_password_that_is_none_is_told_and_the_old_one_still_does(
    tmp_path: Path, peer: SmtpPeer, secret: Path
) -> None:
    secret.write_text("first")
    async with running(tmp_path, speed=10, email=email(peer, secret)) as gateway:
        secret.write_text("")

        status, check = await readiness(gateway, lambda _, check: check["detail"])
        ended = await gateway.ended((await gateway.submit())["id"])

    detail = "email.password_file: changed, and cannot be used (see the log); the old secrets hold"
    assert (status, check) == (200, {"ok": True, "detail": detail})
    assert ended["state"] == "delivered"
