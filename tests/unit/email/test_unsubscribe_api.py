"""The pages behind the link: GET asks, POST unsubscribes, and what is none of ours is told nothing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from loguru import logger

from channels.email import unsubscribe_api, unsubscribe_page
from channels.email.unsubscribe import Subscriber
from tests.support.clock import ManualClock
from tests.support.recording import FULL, Recorder
from tests.unit.email.test_unsubscribe_links import ADA, BEFORE, SECRET, links
from tests.unit.web.support import Keys
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.runtime.discover import setting_sections
from tocsin.settings.load import load
from tocsin.web.app import create_app
from tocsin.web.auth import Authenticator

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
PATH = f"/v1/unsubscribe/{links().token(ADA)}"


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data + "\n"

    def named(self, *tags: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in tags]


@pytest.fixture
def log() -> Recorder:
    return Recorder()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def client(log: Recorder, clock: ManualClock) -> AsyncIterator[httpx.AsyncClient]:
    """A client without a key."""
    app = create_app(
        title="Tocsin",
        version="1",
        routers=[unsubscribe_api.router(links().read, publisher=log, clock=clock)],
        metrics=Metrics(version="1"),
        authenticator=Authenticator(Keys(), monotonic=clock.monotonic),
        checks={},
        monotonic=clock.monotonic,
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://tocsin") as opened:
        yield opened


async def test_a_post_unsubscribes(client: httpx.AsyncClient, log: Recorder, clock: ManualClock) -> None:
    answer = await client.post(PATH, data=ONE_CLICK)
    [event] = log.events

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert not {"location", "set-cookie"} & set(answer.headers)
    assert (event.type, event.tenant, event.time) == (Event.RECEIPT_UNSUBSCRIBED, "default", clock.now())
    assert event.notification_id == ADA.notification_id
    assert event.data == {
        "channel": "email",
        "provider": "unsubscribe_link",
        "address": ADA.address,
        "category": ADA.category,
    }


async def test_a_multipart_post_does_too(client: httpx.AsyncClient, log: Recorder) -> None:
    """RFC 8058, section 3.2, leaves the choice to who sends."""
    answer = await client.post(PATH, files={"List-Unsubscribe": (None, "One-Click")})

    assert (answer.status_code, len(log.events)) == (200, 1)


async def test_doing_it_again_is_the_same_event(client: httpx.AsyncClient, log: Recorder, clock: ManualClock) -> None:
    await client.post(PATH, data=ONE_CLICK)
    clock.advance(timedelta(hours=1))
    again = await client.post(PATH, data=ONE_CLICK)

    assert again.status_code == 200
    assert len({event.id for event in log.events}) == 1


async def test_a_get_asks_and_changes_nothing(client: httpx.AsyncClient, log: Recorder) -> None:
    answer = await client.get(PATH)
    page = Page(answer.text)
    [form], [hidden], [button] = page.named("form"), page.named("input"), page.named("button")

    assert (answer.status_code, log.events) == (200, [])
    assert (form, button) == ({"method": "post"}, {"type": "submit"})
    assert hidden == {"type": "hidden", "name": "List-Unsubscribe", "value": "One-Click"}
    assert "newsletter" in page.text
    assert ADA.address not in answer.text


async def test_the_page_loads_nothing_and_is_kept_nowhere(client: httpx.AsyncClient) -> None:
    answer = await client.get(PATH)
    policy = answer.headers["content-security-policy"]

    assert Page(answer.text).named("script", "link", "img", "iframe", "a") == []
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert answer.headers["x-robots-tag"] == "noindex"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("token", ["x", "1" * 80, PATH.rpartition("/")[2][:-1], "%F0%9F%8E%89", "a" * 5000])
async def test_a_token_that_is_none_of_ours_is_not_found(
    client: httpx.AsyncClient, log: Recorder, method: str, token: str
) -> None:
    answer = await client.request(method, f"/v1/unsubscribe/{token}", data=ONE_CLICK)

    assert (answer.status_code, log.events) == (404, [])
    assert Page(answer.text).named("form") == []
    assert token not in answer.text or token == "x"


def _part(parameters: str) -> bytes:
    return f"--x\r\nContent-Disposition: form-data; {parameters}\r\n\r\nOne-Click\r\n--x--\r\n".encode()


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=Twice", "application/x-www-form-urlencoded"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"&".join([b"a=b"] * 100), "application/x-www-form-urlencoded"),
        (b"List-Unsubscribe=One-Click", "multipart/form-data; boundary=x"),
        (b"--x\r\n\r\nOne-Click\r\n--x--", "multipart/form-data; boundary=x"),
        (b"One-Click", "multipart/form-data"),
        # Of what has a number and what has none the library of Python makes a bug.
        (_part("name*=a; name*0=List-Unsubscribe"), "multipart/form-data; boundary=x"),
        (_part("name=List-Unsubscribe"), "multipart/form-data; boundary*=a; boundary*0=x"),
    ],
)
async def test_another_form_changes_nothing(client: httpx.AsyncClient, log: Recorder, body: bytes, kind: str) -> None:
    answer = await client.post(PATH, content=body, headers={"Content-Type": kind})

    assert (answer.status_code, log.events) == (400, [])


async def test_a_body_is_bounded(client: httpx.AsyncClient, log: Recorder) -> None:
    answer = await client.post(PATH, data={**ONE_CLICK, "more": "x" * 5000})

    assert (answer.status_code, log.events) == (413, [])


async def test_while_the_log_is_away_it_is_not_said_to_be_done(client: httpx.AsyncClient, log: Recorder) -> None:
    log.fails = FULL

    assert (await client.post(PATH, data=ONE_CLICK)).status_code == 503


async def test_nothing_is_logged_of_it(client: httpx.AsyncClient) -> None:
    lines: list[str] = []
    sink = logger.add(lines.append, level=0, format="{message} {extra}")
    try:
        await client.get(PATH)
        await client.post(PATH, data=ONE_CLICK)
        await client.post("/v1/unsubscribe/forged", data=ONE_CLICK)
    finally:
        logger.remove(sink)

    assert lines == []


@pytest.mark.parametrize(
    ("accepted", "lang"),
    [
        ("", "en"),
        ("de", "de"),
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("fr-FR, en;q=0.3, de;q=0.7", "de"),
        ("en-GB,de", "en"),
        ("de;q=0, *", "en"),
        ("de;q=x", "en"),
        ("fr", "en"),
    ],
)
async def test_the_page_is_in_the_language_of_the_browser(client: httpx.AsyncClient, accepted: str, lang: str) -> None:
    page = Page((await client.get(PATH, headers={"Accept-Language": accepted})).text)

    assert page.named("html") == [{"lang": lang}]
    assert ("Abmelden" in page.text) is (lang == "de")


@given(category=st.text(alphabet="<>&\"'{}%/ abscript", max_size=64), lang=st.sampled_from(["en", "de"]))
def test_any_category_is_shown_as_text(category: str, lang: str) -> None:
    for build in (unsubscribe_page.ask, unsubscribe_page.done):
        page = Page(build(category, lang))

        assert category in page.text
        assert page.tags == Page(build("newsletter", lang)).tags


def test_a_secret_that_is_replaced_in_its_file_reads_at_once(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(BEFORE)
    email = {"unsubscribe_secret_file": str(file)}
    read = unsubscribe_api.reading(load(setting_sections(), path=None, environ={}, overrides={"email": email}))
    assert read is not None
    assert (read(links(BEFORE).token(ADA)), read(links(SECRET).token(ADA))) == (ADA, None)

    (tmp_path / "new").write_text(SECRET)
    (tmp_path / "new").rename(file)

    assert read(links(SECRET).token(ADA)) == ADA
    assert read(links(BEFORE).token(ADA)) == ADA


def test_without_a_secret_nothing_is_read() -> None:
    assert unsubscribe_api.reading(load(setting_sections(), path=None, environ={})) is None


def test_an_event_of_another_category_is_another() -> None:
    now = ManualClock().now()
    other = Subscriber(**{name: getattr(ADA, name) for name in ("tenant", "address", "notification_id")}, category="x")
    found = {unsubscribe_api.unsubscribed(each, now=now).id for each in (ADA, other)}

    assert len(found) == 2
