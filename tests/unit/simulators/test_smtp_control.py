"""The control over HTTP, and the pages."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from simulators.smtp import control, submitted
from simulators.smtp.faults import Fault, Faults, Reply
from simulators.smtp.mailbox import Mailbox

HOSTILE = "<script>alert('x')</script>"


@pytest.fixture
async def http(mailbox: Mailbox, faults: Faults) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(control.router(mailbox=mailbox, faults=faults), prefix="/smtp")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator.test/smtp/") as client:
        yield client


def _receive(mailbox: Mailbox, *recipients: str, subject: str = "Hello", text: str = "Some text.") -> int:
    raw = f"Subject: {subject}\r\nMessage-ID: <1@x>\r\n\r\n{text}".encode()
    return mailbox.receive(mail_from="shop@x", recipients=recipients, raw=raw).id


async def test_messages_are_listed_newest_first(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    ids = [_receive(mailbox, name) for name in ("anna@x", "bert@x", "anna@x")]

    assert await _ids(http) == [ids[2], ids[1], ids[0]]
    assert await _ids(http, limit=2) == [ids[2], ids[1]]
    assert await _ids(http, recipient="anna@x") == [ids[2], ids[0]]
    assert await _ids(http, recipient="anna@x", limit=1) == [ids[2]]


async def test_a_message_is_described(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mail_id = _receive(mailbox, "anna@x", subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    described = {
        "id": mail_id,
        "at": "2030-01-01T00:00:00.000Z",
        "mail_from": "shop@x",
        "recipients": ["anna@x"],
        "subject": "Grüße",
        "message_id": "<1@x>",
        "size": 69,
    }

    (listed,) = (await http.get("messages")).json()["messages"]
    whole = (await http.get(f"messages/{mail_id}")).json()

    assert listed == described
    assert whole == described | {
        "text": "Some text.",
        "source": "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nMessage-ID: <1@x>\r\n\r\nSome text.",
    }


async def test_the_source_is_exact_and_never_a_page(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    raw = b"<html>\xff\r\n"
    mail = mailbox.receive(mail_from="", recipients=["anna@x"], raw=raw)

    answer = await http.get(f"messages/{mail.id}/source")

    assert answer.content == raw
    assert answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["messages/7", "messages/7/source"])
async def test_a_mail_that_is_not_there(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


async def test_counts_and_clearing(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    _receive(mailbox, "anna@x", "bert@x")
    _receive(mailbox, "anna@x")
    assert (await http.get("counts")).json() == {"total": 2, "kept": 2, "by_recipient": {"anna@x": 2, "bert@x": 1}}

    assert (await http.delete("messages")).status_code == 204
    assert (await http.get("counts")).json() == {"total": 0, "kept": 0, "by_recipient": {}}


async def test_a_fault_is_put_in_force_and_taken_back(http: httpx.AsyncClient, faults: Faults) -> None:
    answer = await http.post("faults", json=submitted.EXAMPLE)

    assert answer.status_code == 201
    assert answer.json() == dict(submitted.EXAMPLE) | {"drop": False, "greylist": False, "builtin": False, "applied": 0}
    assert faults.at("body", ["anna@slow.example"]) == Fault(
        phase="body",
        recipients="*@slow.example",
        reply=Reply(code=451, enhanced="4.7.0", text="Try again later"),
        delay_seconds=1.5,
        times=3,
    )
    listed = (await http.get("faults")).json()["faults"]
    assert [(fault["builtin"], fault["applied"]) for fault in listed[:2]] == [(False, 1), (True, 0)]

    assert (await http.delete("faults")).status_code == 204
    assert all(fault["builtin"] for fault in (await http.get("faults")).json()["faults"])


async def test_recipients_may_be_a_list(http: httpx.AsyncClient, faults: Faults) -> None:
    await http.post("faults", json={"recipients": ["a@x", "b@x"], "phase": "rcpt", "drop": True})

    assert faults.at("rcpt", ["b@x"]) is not None


REPLY = {"code": 451, "enhanced": "4.7.0", "text": "Later"}


@pytest.mark.parametrize(
    ("body", "pointer", "detail"),
    [
        ([], "", "must be an object"),
        ({"drop": True}, "/phase", "is required"),
        ({"phase": "lunch", "drop": True}, "/phase", "must be one of connect, mail, rcpt, data, body"),
        ({"phase": "rcpt", "drip": True}, "/drip", "is not known here; did you mean drop?"),
        ({"phase": "rcpt", "drop": 1}, "/drop", "must be true or false"),
        ({"phase": "rcpt", "drop": True, "times": 0}, "/times", "must be at least 1"),
        ({"phase": "rcpt", "drop": True, "recipients": ""}, "/recipients", "must not be empty"),
        ({"phase": "rcpt", "drop": True, "recipients": []}, "/recipients", "must not be empty"),
        ({"phase": "rcpt", "drop": True, "recipients": [1]}, "/recipients/0", "must be a string"),
        ({"phase": "rcpt", "delay_seconds": -1}, "/delay_seconds", "must be at least 0"),
        ({"phase": "rcpt", "reply": REPLY | {"code": 250}}, "/reply/code", "must be at least 400"),
        ({"phase": "rcpt", "reply": REPLY | {"enhanced": "later"}}, "/reply/enhanced", "such as 4.7.1"),
        ({"phase": "rcpt", "reply": REPLY | {"text": "a\r\n250 b"}}, "/reply/text", "one line of printable ASCII"),
        ({"phase": "rcpt", "reply": REPLY | {"text": "a\n"}}, "/reply/text", "one line of printable ASCII"),
        ({"phase": "rcpt", "reply": REPLY | {"enhanced": "5.7.0"}}, "/reply", "begins with 4"),
        ({"phase": "rcpt", "reply": REPLY, "drop": True}, "", "choose one of"),
        ({"phase": "rcpt"}, "", "choose one of"),
        ({"phase": "mail", "recipients": "a@x", "drop": True}, "", "no recipient is known at `mail`"),
    ],
)
async def test_a_mistake_is_worded(
    http: httpx.AsyncClient, faults: Faults, body: Any, pointer: str, detail: str
) -> None:
    before = len(list(faults))

    answer = await http.post("faults", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert detail in error["detail"]
    assert len(list(faults)) == before


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"phase": "\xff"}'])
async def test_what_is_not_json_is_refused(http: httpx.AsyncClient, body: bytes) -> None:
    assert (await http.post("faults", content=body)).status_code == 400


async def test_the_list_shows_mails_and_faults_and_refreshes_itself(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    assert "Nothing yet" in (await http.get("")).text
    mail_id = _receive(mailbox, "anna@x")

    page = (await http.get("")).text

    assert '<meta http-equiv="refresh" content="2">' in page
    assert f'<a href="read/{mail_id}">Hello</a>' in page
    assert "refused@*" in page
    assert "550 5.1.1 No such user" in page
    assert "takes the mail, then hangs up" in page


async def test_a_mail_is_read_as_text_and_as_source(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    mail_id = _receive(mailbox, "anna@x", text="The text of the mail.")

    page = (await http.get(f"read/{mail_id}")).text

    assert page.count("The text of the mail.") == 2
    assert "Message-ID: &lt;1@x&gt;" in page
    assert f'href="../messages/{mail_id}/source"' in page


async def test_what_a_mail_says_stays_text(http: httpx.AsyncClient, mailbox: Mailbox, faults: Faults) -> None:
    mail = mailbox.receive(
        mail_from=HOSTILE,
        recipients=[HOSTILE],
        raw=f"Subject: {HOSTILE}\r\nContent-Type: text/html\r\n\r\n{HOSTILE}".encode(),
    )
    faults.add(Fault(phase="rcpt", recipients=HOSTILE, reply=Reply(code=550, enhanced="5.0.0", text=HOSTILE)))

    for path in ("", f"read/{mail.id}"):
        page = await http.get(path)
        assert "<script" not in page.text
        assert "&lt;script&gt;" in page.text
        assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")


async def test_a_mail_without_a_subject_can_be_opened(http: httpx.AsyncClient, mailbox: Mailbox) -> None:
    _receive(mailbox, "anna@x", subject="")

    assert "(no subject)</a>" in (await http.get("")).text


async def test_the_page_of_a_mail_that_is_gone_leads_back(http: httpx.AsyncClient) -> None:
    page = await http.get("read/7")

    assert page.status_code == 404
    assert 'href="../"' in page.text


@pytest.mark.parametrize(("page", "link"), [("", "style.css"), ("read/7", "../style.css")])
async def test_the_style_is_found_from_every_page(http: httpx.AsyncClient, page: str, link: str) -> None:
    shown = await http.get(page)
    assert f'href="{link}"' in shown.text

    style = await http.get(str(shown.url.join(link)))

    assert style.headers["content-type"].startswith("text/css")


async def test_the_control_is_documented(mailbox: Mailbox, faults: Faults) -> None:
    app = FastAPI()
    app.include_router(control.router(mailbox=mailbox, faults=faults))
    paths = app.openapi()["paths"]

    assert set(paths) == {"/messages", "/messages/{mail_id}", "/messages/{mail_id}/source", "/counts", "/faults"}
    body = paths["/faults"]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"]["properties"]["phase"]["enum"] == ["connect", "mail", "rcpt", "data", "body"]


async def _ids(http: httpx.AsyncClient, **query: str | int) -> list[int]:
    answer = await http.get("messages", params=query)
    return [message["id"] for message in answer.json()["messages"]]
