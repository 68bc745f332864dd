"""The page for people: the mails as a list that refreshes itself. It holds no script; Jinja escapes every value."""

from itertools import islice

from fastapi import APIRouter, Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from simulators.mail.faults import Faults, effect
from simulators.smtp import reading
from simulators.smtp.mailbox import Mailbox

_NEWEST = 100
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def router(*, name: str, mailbox: Mailbox, faults: Faults) -> APIRouter:
    """Return the page of one simulator."""
    routes = APIRouter(include_in_schema=False)
    environment = Environment(
        loader=PackageLoader("simulators.mail"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["effect"] = effect
    environment.filters["subject"] = lambda mail: reading.subject(mail.raw)
    environment.filters["text"] = lambda mail: reading.text(mail.raw)
    page = environment.get_template("list.html")

    @routes.get("/")
    async def show_list() -> Response:
        newest = list(islice(mailbox.newest(), _NEWEST))
        shown = page.render(name=name, mails=newest, total=mailbox.total, kept=mailbox.kept, rules=list(faults))
        return Response(shown, media_type="text/html", headers=_HEADERS)

    return routes
