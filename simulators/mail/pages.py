"""The page for people: the mails as a list that refreshes itself. It holds no script; Jinja escapes every value."""

from collections.abc import Callable
from itertools import islice
from typing import Any

from fastapi import APIRouter, Response

from simulators import pages
from simulators.mail.faults import Faults, effect
from simulators.smtp import reading
from simulators.smtp.mailbox import Mailbox


def router(*, name: str, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the page of one simulator."""
    routes = APIRouter(include_in_schema=False)
    filters: dict[str, Callable[[Any], str]] = {
        "effect": effect,
        "subject": lambda mail: reading.subject(mail.raw),
        "text": lambda mail: reading.text(mail.raw),
    }
    page = pages.templates("simulators.mail", filters).get_template("list.html")

    @routes.get("/")
    async def show_list() -> Response:
        newest = list(islice(mailbox.newest(), pages.NEWEST))
        shown = page.render(name=name, mails=newest, total=mailbox.total, kept=mailbox.kept, rules=list(faults))
        return pages.html(shown)

    return routes
