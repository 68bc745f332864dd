"""All compose files together, and whose the services in them are."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from tests.deploy import composing
from tests.deploy.composing import FILES

BASE = "compose.yaml"
OURS = "tocsin:local"


@cache
def declared() -> composing.Tree:
    """Return what all files declare together, with the variables as `.env.example` has them."""
    # What the simulators take the place of comes before them.
    others = sorted((name for name in FILES if name != BASE), key=lambda name: name == "compose.simulators.yaml")
    return composing.load([BASE, *others], composing.example())


def services() -> Mapping[str, Any]:
    """Return every service there is."""
    found: Mapping[str, Any] = declared()["services"]
    return found


def ours() -> list[str]:
    """Return those that run a command of ours."""
    return [name for name, service in services().items() if service["image"] == OURS]


def of_shop() -> list[str]:
    """Return those of them that are the shop's: their entry point is another one than the image's."""
    return [name for name in ours() if "entrypoint" in services()[name]]


def of_tocsin() -> list[str]:
    """Return those of them that run `tocsin`."""
    return [name for name in ours() if name not in of_shop()]
