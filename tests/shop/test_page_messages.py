"""The messages that the page shows: those that simulators took, and never another one's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from examples.shop.page.feed import Delivery
from examples.shop.page.messages import Simulators
from simulators.smtp import control
from simulators.smtp.faults import Faults
from simulators.smtp.mailbox import Mailbox
from tests.shop import pages
from tests.shop.pages import ADDRESS, NOON, Page, notification
from tests.support.clock import ManualClock
from tocsin import ids
from tocsin.lifecycle import Event
from tocsin.runtime import server

DELIVERY = ids.delivery_id(f"ntf_{1:026d}", "email", ADDRESS)
PATH = f"/shop/messages/{DELIVERY}"


@asynccontextmanager
async def simulating(*, html: str | None, at: timedelta = timedelta()) -> AsyncIterator[str]:
    """Serve a simulator that has taken one mail, so long after noon; yields where."""
    mailbox = Mailbox(now=ManualClock(NOON + at).now)
    mail = EmailMessage()
    mail["Subject"] = "Grüße"
    mail.set_content("plain words\n")
    if html is not None:
        mail.add_alternative(html, subtype="html")
    mailbox.receive(mail_from="shop@shop.example", recipients=[ADDRESS], raw=mail.as_bytes())
    app = FastAPI()
    app.include_router(control.router(mailbox=mailbox, faults=Faults(())), prefix="/smtp")
    async with server.serving(app, server.listen("127.0.0.1", 0)) as url:
        yield url


@asynccontextmanager
async def delivered(directory: Path, simulators: str, **data: Any) -> AsyncIterator[Page]:
    """Run the page, with one mail that was delivered."""
    async with pages.running(directory, simulators=simulators) as page:
        told = {"provider_id": "1", **data}
        records = notification(1, Event.ATTEMPTED, Event.DELIVERED, metadata={"order_id": "1"}, **told)
        await page.happened(*records)
        await page.told(3)
        yield page


async def asked(directory: Path, simulators: str, path: str = PATH, **data: Any) -> httpx.Response:
    """Return what the page's service answers for the mail."""
    async with delivered(directory, simulators, **data) as page:
        return await page.client.get(path)


async def test_a_mail_is_shown_as_it_was_taken_and_nothing_of_it_runs(tmp_path: Path) -> None:
    html = "<p>w&ouml;rds</p><script>alert(1)</script>"
    async with simulating(html=html) as url, delivered(tmp_path, url) as page:
        told = (await page.client.get(PATH)).json()
        shown = await page.client.get(f"{PATH}/html")

    assert (told["subject"], told["to"], told["text"].strip(), told["html"]) == ("Grüße", ADDRESS, "plain words", True)
    assert shown.text.strip() == html
    policy = shown.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script-src" not in policy


async def test_a_mail_without_html_is_text(tmp_path: Path) -> None:
    async with simulating(html=None) as url, delivered(tmp_path, url) as page:
        told = (await page.client.get(PATH)).json()
        shown = await page.client.get(f"{PATH}/html")

    assert told["html"] is False
    assert shown.status_code == 404


async def test_the_simulators_first_mail_after_a_restart_is_not_taken_for_their_first_before(tmp_path: Path) -> None:
    async with simulating(html=None, at=timedelta(hours=1)) as url:
        answer = await asked(tmp_path, url)

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_simulators_that_are_away_are_a_problem_of_now(tmp_path: Path) -> None:
    answer = await asked(tmp_path, "http://127.0.0.1:9")

    assert answer.status_code == 503


async def test_what_answers_in_the_simulators_place_and_is_none_is_a_problem_too(tmp_path: Path) -> None:
    app = FastAPI()

    @app.get("/smtp/messages/1")
    async def message() -> list[str]:
        return ["no mail"]

    async with server.serving(app, server.listen("127.0.0.1", 0)) as url:
        answer = await asked(tmp_path, url)

    assert answer.status_code == 503


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/shop/messages/dlv_unknown", {}),
        (PATH, {"provider": "ses", "provider_id": "0100"}),  # of a real provider nobody can be asked
        (PATH, {"provider_id": "../faults"}),
    ],
)
async def test_what_no_simulator_took_is_not_asked_for(tmp_path: Path, path: str, data: dict[str, Any]) -> None:
    answer = await asked(tmp_path, "http://127.0.0.1:9", path, **data)

    assert answer.status_code == 404


async def test_a_text_is_found_by_its_name_and_its_time() -> None:
    app = FastAPI()

    @app.get("/twilio/messages")
    async def messages() -> dict[str, Any]:
        text = {"provider_id": "SM1", "at": "2030-01-01T12:00:01.000Z", "recipient": "+4915112345678", "text": "words"}
        return {"messages": [{**text, "provider_id": "SM2"}, {**text, "at": "2029-01-01T12:00:00.000Z"}, text]}

    async with server.serving(app, server.listen("127.0.0.1", 0)) as url:
        found = await Simulators(url).message(Delivery("twilio", "SM1", NOON))
        other = await Simulators(url).message(Delivery("twilio", "SM3", NOON))

    assert found is not None
    assert (found.to, found.text, found.html) == ("+4915112345678", "words", None)
    assert other is None
