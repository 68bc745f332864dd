"""The job of both sides: the template `welcome`, to somebody else each time. Imported in `.venv-bench` too.

A peer renders the same files with Jinja2 as it comes; its templates are compiled once.
"""

import hashlib
from pathlib import Path
from typing import Any

import jinja2

TEMPLATE, LOCALE = "welcome", "en"
TEMPLATES = Path(__file__).parent.parent.parent / "configs" / "templates"

SENDER = "Tocsin <no-reply@localhost.invalid>"
DOMAIN = "localhost.invalid"
SMS_SENDER = "+4915799999999"
ACCOUNT, AUTH_TOKEN = "AC" + "0" * 32, "b" * 32
PUBLIC_URL = "https://tocsin.example.test"
PROJECT = "tocsin-demo"
SUBJECT = "mailto:push@example.com"
LIFETIME_SECONDS = 3_600


class Texts:
    """The texts of some parts of the template, for a peer."""

    def __init__(self, *parts: str) -> None:
        loader = jinja2.FileSystemLoader(TEMPLATES / TEMPLATE / LOCALE)
        environment = jinja2.Environment(loader=loader, autoescape=jinja2.select_autoescape())
        self._parts = [environment.get_template(part) for part in parts]

    def of(self, number: int) -> tuple[str, ...]:
        """Return the texts of a message, without what lies around them."""
        values = data(number)
        return tuple(part.render(values).strip() for part in self._parts)


def data(number: int) -> dict[str, Any]:
    """Return the data of a message."""
    return {"name": f"Ada {number}"}


def notification_id(number: int) -> str:
    """Return the id by which a message is told apart: 30 characters, as ours have."""
    return f"ntf_{number:026}"


def phone(number: int) -> str:
    """Return a mobile number."""
    return f"+491579{number:07}"


def mail_address(number: int) -> str:
    """Return a mail address."""
    return f"customer-{number}@example.test"


def fcm_token(number: int) -> str:
    """Return a device token, as long as FCM's are."""
    return f"c{number:021}:APA91b{'x' * 134}"


def apns_token(number: int) -> str:
    """Return a device token of APNs."""
    return hashlib.sha256(str(number).encode()).hexdigest()
