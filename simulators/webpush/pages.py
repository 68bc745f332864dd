"""The page of the push service: the messages that browsers were pushed, as people read them."""

from html import escape

from fastapi import APIRouter, Response

from simulators.webpush.browser import Browsers
from simulators.webpush.inbox import Inbox, Message
from tocsin.clock import rfc3339

_SHOWN = 200
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.4rem .8rem .4rem 0;vertical-align:top;"
    "border-bottom:1px solid #ccc}code{font-size:13px;word-break:break-all}"
)


def router(*, inbox: Inbox, browsers: Browsers) -> APIRouter:
    """Return the route of the page."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def page() -> Response:
        shown = [_row(message) for _, message in zip(range(_SHOWN), inbox.newest(), strict=False)]
        rows = "".join(shown) or '<tr><td colspan="4">Nothing was pushed yet.</td></tr>'
        html = (
            f'<!doctype html><html lang="en"><meta charset="utf-8"><title>Web Push simulator</title>'
            f"<style>{_STYLE}</style><h1>Web Push simulator</h1>"
            f"<p>{sum(1 for _ in browsers)} subscriptions, {inbox.total} messages</p>"
            f"<table><tr><th>At<th>Browser<th>Urgency<th>Message</tr>{rows}</table></html>"
        )
        headers = {"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"}
        return Response(html, media_type="text/html", headers=headers)

    return routes


def _row(message: Message) -> str:
    cells = (rfc3339(message.at), message.subscription[:8], message.urgency)
    plain = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
    return f"<tr>{plain}<td><code>{escape(message.text)}</code></td></tr>"
