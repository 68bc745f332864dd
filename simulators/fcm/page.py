"""The page for people: the messages as a list that refreshes itself, and the faults in force.

It holds no script and its policy lets none run; Jinja escapes every value.
"""

from itertools import islice

from fastapi import Response
from jinja2 import Environment, PackageLoader, StrictUndefined

from simulators.fcm.faults import Faults
from simulators.fcm.inbox import Inbox

_NEWEST = 100
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def shown(inbox: Inbox, faults: Faults) -> Response:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("simulators.fcm"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    messages = list(islice(inbox.newest(), _NEWEST))
    html = environment.get_template("list.html").render(messages=messages, total=inbox.total, rules=list(faults))
    return Response(html, media_type="text/html", headers=_HEADERS)
