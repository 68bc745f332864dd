"""The routes that providers call, at work over a store and a log that a test reads."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from twilio.request_validator import RequestValidator  # type: ignore[import-untyped] # it has no types

from channels.sms import callbacks
from channels.sms.firsts import FirstCallbacks
from channels.sms.inbox import Inbox
from channels.sms.reference import Reference, References
from channels.sms.vonage_callbacks import signature
from tests.support.backends import Embedded
from tests.support.clock import ManualClock
from tests.support.recording import Recorder
from tests.unit.sms.conftest import NUMBER, message
from tests.unit.web.support import Keys
from tocsin.ledger.port import Ledger
from tocsin.observe.metrics import Metrics
from tocsin.receipts import Verdict
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.store.engine import open_store
from tocsin.store.migrate import upgrade
from tocsin.store.suppressions import Suppressions, Told
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

TOKEN, SECRET, SIGNATURE = "auth-token", "api-secret", "signature-secret"
PUBLIC = "https://notify.example.com/tocsin"
SECTIONS: dict[str, dict[str, Any]] = {
    "http": {"public_url": PUBLIC},
    "sms": {"routes": ("twilio", "vonage")},
    "twilio": {"account_sid": "AC1", "auth_token": TOKEN, "sender": "Shop"},
    "vonage": {"api_key": "key", "api_secret": SECRET, "sender": "Shop", "signature_secret": SIGNATURE},
}


@dataclass(kw_only=True)
class Called:
    """The routes at work, and what came of calls."""

    client: httpx.AsyncClient
    recorder: Recorder
    suppressions: Suppressions
    reference: Reference
    clock: ManualClock
    metrics: Metrics
    ledger: Ledger
    verdicts: list[Verdict]

    async def twilio(self, status: str, *, sign: str | None = TOKEN, **fields: str) -> httpx.Response:
        """Have Twilio tell a status."""
        form = {"MessageSid": "SM1", "To": NUMBER, "MessageStatus": status, **fields}
        path = "/v1/callbacks/twilio/status/" + quote(References(TOKEN).write(self.reference, NUMBER), safe="")
        return await self.post(path, form, sign=sign)

    async def text(self, body: str, *, sid: str = "SM9", sign: str | None = TOKEN, **fields: str) -> httpx.Response:
        """Have somebody write to us through Twilio."""
        form = {"MessageSid": sid, "From": NUMBER, "Body": body, **fields}
        return await self.post("/v1/callbacks/twilio/inbound", form, sign=sign)

    async def post(self, path: str, form: Mapping[str, str], *, sign: str | None) -> httpx.Response:
        headers = {} if sign is None else {"X-Twilio-Signature": signed(sign, PUBLIC + path, form)}
        return await self.client.post(path, data=form, headers=headers)

    async def vonage_text(self, text: str, **fields: str) -> httpx.Response:
        """Have somebody write to us through Vonage, just now."""
        now = self.clock.now()
        told = {
            "msisdn": NUMBER.removeprefix("+"),
            "messageId": "0D1",
            "text": text,
            "message-timestamp": now.strftime("%Y-%m-%d %H:%M:%S"),
            "timestamp": str(int(now.timestamp())),
            **fields,
        }
        path = "/v1/callbacks/vonage/inbound"
        return await self.client.post(path, json={**told, "sig": signature(told, SIGNATURE)})

    def vonage(self, status: str, **fields: str) -> dict[str, str]:
        """Return a delivery receipt, signed."""
        told = {
            "msisdn": NUMBER.removeprefix("+"),
            "messageId": "0C1",
            "status": status,
            "err-code": "0",
            "client-ref": References(SECRET).write(self.reference, NUMBER),
            **fields,
        }
        return {**told, "sig": signature(told, SIGNATURE)}


def signed(token: str, url: str, form: Mapping[str, str]) -> str:
    return str(RequestValidator(token).compute_signature(url, dict(form)))


@asynccontextmanager
async def calling(
    tmp_path: Path,
    clock: ManualClock,
    *,
    ledger: Ledger | None = None,
    sections: Mapping[str, Mapping[str, Any]] = SECTIONS,
) -> AsyncIterator[Called]:
    """Run the routes until the block is left, on the ledger of a folder, or on one that another process has open."""
    settings = load(setting_sections(), path=None, environ={}, overrides=sections)
    metrics, recorder = Metrics(version="1"), Recorder()
    sms = message(clock)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(f"sqlite:///{tmp_path / 'store.db'}"))
        await upgrade(store)
        if ledger is None:
            ledger = (await stack.enter_async_context(Embedded().opened(tmp_path / "log", clock, metrics))).ledger
        suppressions = Suppressions(store=store, clock=clock)
        firsts = FirstCallbacks(ledger, clock)
        verdicts: list[Verdict] = []
        inbox = Inbox(
            publisher=recorder,
            suppressions=suppressions,
            firsts=firsts,
            metrics=metrics,
            clock=clock,
            on_verdict=verdicts.append,
        )
        app = create_app(
            title="Tocsin",
            version="1",
            routers=[callbacks.routes(settings, inbox, clock)],
            metrics=metrics,
            authenticator=Authenticator(Keys(), monotonic=clock.monotonic),
            checks={},
            monotonic=clock.monotonic,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside:8080") as client:
            yield Called(
                client=client,
                recorder=recorder,
                suppressions=suppressions,
                reference=Reference.of(sms, f"{sms.delivery_id}:1"),
                clock=clock,
                metrics=metrics,
                ledger=ledger,
                verdicts=verdicts,
            )


async def opt_out(called: Called, reason: Any) -> None:
    at = called.clock.now()
    told = Told(tenant="default", channel="sms", address=NUMBER, reason=reason, source="twilio", at=at)
    await called.suppressions.add(told)
