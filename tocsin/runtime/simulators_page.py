"""The page that leads to the pages of the simulators. It holds no script, and its policy lets none run."""

from collections.abc import Sequence
from html import escape

from fastapi import Response

from tocsin.runtime.service import Simulator

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:15px/1.5 system-ui,sans-serif;max-width:40rem;margin:3rem auto;padding:0 1.5rem}"
    "h1{font-size:1.5rem}ul{list-style:none;padding:0}li{border-top:1px solid light-dark(#ddd,#3a3a3a)}"
    "a{display:flex;gap:1rem;padding:.7rem 0;text-decoration:none;color:inherit}a:hover b{text-decoration:underline}"
    "b{min-width:6rem}span,p{color:light-dark(#666,#a0a0a0)}"
)


def page(simulators: Sequence[Simulator]) -> Response:
    """Return the page. Its links are relative, so it can be mounted anywhere."""
    rows = "".join(
        f'<li><a href="{escape(each.name)}/"><b>{escape(each.name)}</b><span>the {escape(each.shows)} that it received'
        "</span></a></li>"
        for each in sorted(simulators, key=lambda each: each.name)
    )
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Tocsin simulators</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>Simulators</h1>"
        "<p>Providers that take what is sent to them, show it, and fail as they are told.</p>"
        f"<ul>{rows}</ul>"
        '<p><a href="docs">How to tell them: the API of their faults</a></p></body></html>'
    )
    return Response(html, media_type="text/html", headers=_HEADERS)
