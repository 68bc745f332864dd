"""The page for people: the pushes and the faults, in a list that refreshes itself. No script runs in it."""

from itertools import islice

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from simulators.apns.service import Service

_NEWEST = 100
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def shown(service: Service) -> Response:
    """Return the page. Jinja escapes every value."""
    environment = Environment(
        loader=PackageLoader("simulators.apns"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pushes = list(islice(service.inbox.newest(), _NEWEST))
    page = environment.get_template("list.html").render(
        pushes=pushes, total=service.inbox.total, rules=list(service.faults)
    )
    return Response(page, media_type="text/html", headers=_HEADERS)
