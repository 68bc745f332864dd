"""The entry point's value: what it starts is what its overrides point a demo at."""

import aiosmtplib
import httpx
import pytest
from fastapi import FastAPI

from simulators.smtp import simulator
from tests.support.clock import ManualClock


def test_a_demo_is_pointed_at_the_server() -> None:
    assert simulator.simulator.name == "smtp"
    assert simulator.simulator.overrides["email"] == {"host": "127.0.0.1", "port": 2525, "tls": "none"}
    assert simulator.simulator.overrides["bounces"]["listen"] == "127.0.0.1:2526"


async def test_the_router_shows_what_the_server_received(monkeypatch: pytest.MonkeyPatch, unused_tcp_port: int) -> None:
    monkeypatch.setattr(simulator, "PORT", unused_tcp_port)
    async with simulator.simulator.open(ManualClock()) as router:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=unused_tcp_port) as client:
            await client.sendmail("shop@example.org", ["anna@example.org"], b"Subject: Hi\r\n\r\n")
        app = FastAPI()
        app.include_router(router, prefix="/smtp")
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x/smtp/") as http:
            assert (await http.get("counts")).json()["by_recipient"] == {"anna@example.org": 1}
