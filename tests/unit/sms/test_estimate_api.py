"""`POST /v1/sms/estimate`: what a text would come to, for those who may submit."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from channels.sms import estimate_api
from channels.sms.settings import SmsSettings
from tests.support.clock import ManualClock
from tests.unit.web.support import Keys, pointers, slug
from tocsin.observe.metrics import Metrics
from tocsin.store.keys import Scope
from tocsin.templates.catalogue import Catalogue
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

GERMAN = "+4915112345678"
SCHEMA = '{"type": "object", "required": ["code"], "properties": {"code": {"type": "string"}}}'


@asynccontextmanager
async def serving(settings: SmsSettings, scope: Scope = "submit") -> AsyncIterator[httpx.AsyncClient]:
    catalogue, keys, clock = Catalogue(default_locale="en"), Keys(), ManualClock()
    files = {"schema.json": SCHEMA, "en/sms.txt": "Code {{ code }}\n", "de/sms.txt": "Zahl {{ code }} …\n"}
    catalogue.add("code", files, current=True)
    catalogue.add("mail", {"en/email.txt": "hello", "en/email.subject.txt": "hello"}, current=True)
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[estimate_api.router(settings, catalogue)],
        metrics=Metrics(version="1"),
        authenticator=Authenticator(keys, monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    headers = {"Authorization": f"Bearer {keys.add(scope)}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t", headers=headers) as client:
        yield client


async def estimated(body: Any, **settings: Any) -> httpx.Response:
    async with serving(SmsSettings(**settings)) as client:
        return await client.post("/v1/sms/estimate", json=body)


async def test_a_text_is_estimated() -> None:
    body = {"to": "0151 12345678", "text": "a" * 161}
    response = await estimated(body, default_region="DE", prices={"DE": 0.085})

    assert response.status_code == 200
    assert response.json() == {
        "region": "DE",
        "encoding": "gsm7",
        "segments": 2,
        "price": 0.17,
        "currency": "EUR",
        "refusal": None,
    }


async def test_a_template_is_estimated_as_it_is_sent() -> None:
    body = {"to": GERMAN, "template": "code", "data": {"code": "7"}}
    english, german = await estimated(body), await estimated({**body, "locale": "de"})

    assert (english.json()["encoding"], german.json()["encoding"]) == ("gsm7", "ucs2")
    assert (english.json()["price"], english.json()["currency"]) == (None, None)


async def test_what_would_not_be_sent_says_why() -> None:
    response = await estimated({"to": GERMAN, "text": "hello"}, prices={"DE": 0.085}, max_price=0.05)

    assert response.status_code == 200
    assert response.json()["refusal"]["reason"] == "too_expensive"
    assert "0.05 EUR" in response.json()["refusal"]["detail"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": "a"}, "/to"),
        ({"to": "+1555", "text": "a"}, "/to"),
        ({"to": "+12025550143", "text": "a"}, "/to"),
        ({"to": GERMAN}, "/text"),
        ({"to": GERMAN, "text": "a", "template": "code"}, "/text"),
        ({"to": GERMAN, "text": "a" * 1601}, "/text"),
        ({"to": GERMAN, "template": "cod"}, "/template"),
        ({"to": GERMAN, "template": "mail"}, "/template"),
        ({"to": GERMAN, "template": "code", "data": {}}, "/data/code"),
        ({"to": GERMAN, "text": "a", "from": "Shop"}, "/from"),
    ],
)
async def test_what_a_submit_would_refuse_is_refused(body: Any, pointer: str) -> None:
    response = await estimated(body, regions=("DE",))

    assert (response.status_code, slug(response)) == (422, "invalid")
    assert pointers(response) == [pointer]
    assert GERMAN not in response.text


async def test_it_is_for_those_who_may_submit() -> None:
    async with serving(SmsSettings(), scope="read") as client:
        assert (await client.post("/v1/sms/estimate", json={"to": GERMAN, "text": "a"})).status_code == 403
