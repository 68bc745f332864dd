"""The secret of Resend's webhook, which changes in its file while calls come."""

from base64 import b64encode
from pathlib import Path

import httpx

from channels.email import callbacks
from channels.email.receiving import Receiving
from channels.email.resend_events import signature, signing_key
from tests.support.clock import ManualClock
from tests.unit.channels.test_changes import Publisher
from tests.unit.web.support import Keys
from tocsin.observe.metrics import Metrics
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

OLD, NEW = ("whsec_" + b64encode(text).decode() for text in (b"the old secret", b"the new secret"))
EVENT = b'{"type": "email.opened"}'


async def call(client: httpx.AsyncClient, clock: ManualClock, secret: str) -> int:
    """Return how a call is answered that is signed with this secret."""
    timestamp = str(int(clock.now().timestamp()))
    signed = signature(signing_key(secret), "msg_1", timestamp, EVENT)
    headers = {"svix-id": "msg_1", "svix-timestamp": timestamp, "svix-signature": signed}
    return (await client.post(callbacks.RESEND_PATH, content=EVENT, headers=headers)).status_code


async def test_a_call_is_believed_for_the_secret_that_the_file_has_now(tmp_path: Path) -> None:
    clock, metrics, file = ManualClock(), Metrics(version="1"), tmp_path / "secret"
    file.write_text(OLD)
    sections = {"resend": {"webhook_secret_file": str(file)}}
    settings = load(setting_sections(), path=None, environ={}, overrides=sections)
    made = callbacks.callbacks(settings, Receiving(publisher=Publisher(), metrics=metrics), clock)
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[made.router],
        metrics=metrics,
        authenticator=Authenticator(Keys(), monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inside:8080") as client:
        before = [await call(client, clock, secret) for secret in (OLD, NEW)]
        file.write_text("whsec_!")
        broken = await call(client, clock, OLD)
        file.write_text(NEW)
        after = [await call(client, clock, secret) for secret in (OLD, NEW)]
    await made.aclose()

    assert (before, broken, after) == ([204, 403], 204, [403, 204])
