"""The page of the push service: the messages that browsers were pushed, as a list that refreshes itself.

It holds no script and its policy lets none run; Jinja escapes every value.
"""

from itertools import islice

from fastapi import APIRouter, Response

from simulators import pages
from simulators.webpush.browser import Browsers
from simulators.webpush.inbox import Inbox


def router(*, inbox: Inbox, browsers: Browsers) -> APIRouter:
    """Return the route of the page."""
    routes = APIRouter(include_in_schema=False)
    template = pages.templates("simulators.webpush", {}).get_template("list.html")

    @routes.get("/")
    async def page() -> Response:
        messages = list(islice(inbox.newest(), pages.NEWEST))
        subscriptions = sum(1 for _ in browsers)
        return pages.html(template.render(messages=messages, total=inbox.total, subscriptions=subscriptions))

    return routes
