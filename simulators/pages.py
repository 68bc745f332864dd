"""What the pages of simulators share: their frame and their headers.

They hold no script and their policy lets none run; Jinja escapes every value.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from fastapi import Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

# The most messages that a list shows.
NEWEST = 100


def templates(package: str, filters: Mapping[str, Callable[[Any], str]]) -> Environment:
    """Return the templates of a simulator's package, with the shared ones beside them."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("simulators")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters)
    return environment


def html(
    page: str, *, style: Literal["unsafe-inline", "self", "none"] = "unsafe-inline", status: int = 200
) -> Response:
    """Return a page. `style` is where its policy has styles come from."""
    styles = "" if style == "none" else f"style-src '{style}'; "
    policy = f"default-src 'none'; {styles}base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return Response(page, status_code=status, media_type="text/html", headers=headers)
