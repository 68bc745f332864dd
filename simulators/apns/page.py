"""The page for people: the pushes and the faults, in a list that refreshes itself. No script runs in it."""

from itertools import islice

from fastapi import Response

from simulators import pages
from simulators.apns.faults import effect
from simulators.apns.service import Service


def shown(service: Service) -> Response:
    """Return the page. Jinja escapes every value."""
    templates = pages.templates("simulators.apns", {"effect": effect})
    pushes = list(islice(service.inbox.newest(), pages.NEWEST))
    page = templates.get_template("list.html").render(
        pushes=pushes, total=service.inbox.total, rules=list(service.faults)
    )
    return pages.html(page)
