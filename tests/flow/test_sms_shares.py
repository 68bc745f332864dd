"""What texts cost, how fast they go, and how receipts shift the shares of providers: through the whole gateway."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.flow.test_sms import Stage, staged

# Twilio takes a text to it and says later that it was lost (30008); Vonage delivers it.
LOST = "+15005553008"
PRICES = {"US": 0.0079}


async def providers(stage: Stage, count: int) -> Counter[str]:
    """Send so many texts, and wait for their receipts; return through whom they went."""
    sent = await asyncio.gather(*(stage.submit(LOST) for _ in range(count)))
    lives = await asyncio.gather(*(stage.ended(each) for each in sent))
    through = [life["events"][-1]["data"]["provider"] for life in lives]
    told = {"twilio": "tocsin.receipt.failed", "vonage": "tocsin.receipt.confirmed"}
    await asyncio.gather(
        *(stage.until_told(each, told[provider]) for each, provider in zip(sent, through, strict=True))
    )
    return Counter(through)


async def test_a_provider_that_loses_texts_gets_fewer(tmp_path: Path, unused_tcp_port: int) -> None:
    even = {"weight": 1.0}
    async with staged(tmp_path, unused_tcp_port, routes=("twilio", "vonage"), twilio=even, vonage=even) as stage:
        before = await providers(stage, 60)
        after = await providers(stage, 60)

        assert before["twilio"] >= 4
        assert after["twilio"] < 20


async def test_a_limit_of_the_settings_is_kept(tmp_path: Path, unused_tcp_port: int) -> None:
    loop = asyncio.get_running_loop()
    async with staged(tmp_path, unused_tcp_port, twilio={"messages_per_second": 10.0}) as stage:
        began = loop.time()
        sent = await asyncio.gather(*(stage.submit() for _ in range(25)))
        await asyncio.gather(*(stage.ended(each) for each in sent))

        # A second's worth may go at once.
        assert loop.time() - began >= 1.4


async def test_the_price_is_told_before_and_after(tmp_path: Path, unused_tcp_port: int) -> None:
    async with staged(tmp_path, unused_tcp_port, sms={"prices": PRICES, "currency": "USD"}) as stage:
        wanted = {"to": "+12025550143", "text": "a" * 161}
        estimate = (await stage.gateway.client.post("/v1/sms/estimate", json=wanted)).json()
        life = await stage.ended(await stage.submit(content={"sms": {"text": "a" * 161}}))
        [attempted] = [each for each in life["events"] if each["type"] == "tocsin.delivery.attempted"]

        assert (estimate["segments"], estimate["price"], estimate["currency"]) == (2, 0.0158, "USD")
        assert {name: attempted["data"][name] for name in ("segments", "price", "currency")} == {
            name: estimate[name] for name in ("segments", "price", "currency")
        }


@pytest.mark.parametrize(("number", "reason"), [("+12025550143", "too_expensive"), ("+4915112345678", "price_unknown")])
async def test_what_is_too_expensive_is_not_sent(
    tmp_path: Path, unused_tcp_port: int, number: str, reason: str
) -> None:
    async with staged(tmp_path, unused_tcp_port, sms={"prices": PRICES, "max_price": 0.01}) as stage:
        wanted = {"to": number, "text": "a" * 161}
        estimate = (await stage.gateway.client.post("/v1/sms/estimate", json=wanted)).json()
        life = await stage.ended(await stage.submit(number, content={"sms": {"text": "a" * 161}}))

        assert estimate["refusal"]["reason"] == reason
        assert (life["state"], life["events"][-1]["data"]["code"]) == ("dead", reason)
        assert await stage.received("twilio") == []
