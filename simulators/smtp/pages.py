"""The pages for people: the mails as a list that refreshes itself, and one mail to read.

They hold no script and their policy lets none run; Jinja escapes every value. What a mail says stays text.
"""

from collections.abc import Callable
from importlib import resources
from itertools import islice
from typing import Any

from fastapi import APIRouter, Response
from jinja2 import Environment

from simulators import pages
from simulators.smtp import reading
from simulators.smtp.faults import Fault, Faults
from simulators.smtp.mailbox import Mail, Mailbox

_PACKAGE = "simulators.smtp"


def router(*, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the pages of one server."""
    routes = APIRouter(include_in_schema=False)
    templates = _templates()
    style = resources.files(_PACKAGE).joinpath("templates", "style.css").read_bytes()

    @routes.get("/")
    async def show_list() -> Response:
        mails = list(islice(mailbox.newest(), pages.NEWEST))
        page = templates.get_template("list.html")
        return _html(page.render(mails=mails, kept=mailbox.kept, total=mailbox.total, rules=list(faults)))

    @routes.get("/read/{mail_id}")
    async def show_mail(mail_id: int) -> Response:
        mail = mailbox.get(mail_id)
        if mail is None:
            return _html(templates.get_template("gone.html").render(), status=404)
        return _html(templates.get_template("mail.html").render(mail=mail))

    @routes.get("/style.css")
    async def show_style() -> Response:
        return Response(style, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})

    return routes


def effect(fault: Fault) -> str:
    """Return what a fault does, in words."""
    words = [f"waits {fault.delay_seconds:g} s"] if fault.delay_seconds else []
    if fault.drop:
        words.append("takes the mail, then hangs up" if fault.phase == "body" else "hangs up")
    if fault.refusal is not None:
        words.append(fault.refusal.line)
    if fault.greylist:
        words.append(f"the first {fault.times or 1} of each recipient's tries")
    elif fault.times is not None:
        words.append(f"{fault.times} times")
    return ", ".join(words)


def _templates() -> Environment:
    filters: dict[str, Callable[[Any], str]] = {
        "effect": effect,
        "subject": _subject,
        "text": lambda mail: reading.text(mail.raw),
        "source": lambda mail: reading.source(mail.raw),
    }
    return pages.templates(_PACKAGE, filters)


def _subject(mail: Mail) -> str:
    # A row is opened by its subject, so there has to be one.
    return reading.subject(mail.raw) or "(no subject)"


def _html(page: str, *, status: int = 200) -> Response:
    return pages.html(page, style="self", status=status)
