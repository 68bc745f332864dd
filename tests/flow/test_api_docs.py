"""What is told of a whole gateway: its OpenAPI has each operation under its own heading, its checks are documented."""

import re
from pathlib import Path

from simulators.webpush.simulator import PUBLISHED_KEY
from tests.support.gateways import running

HEADINGS = {
    "/v1/notifications": "notifications",
    "/v1/events": "events",
    "/v1/suppressions": "suppressions",
    "/v1/browser": "browser",
    "/v1/sms": "sms",
    "/v1/email": "email",
    "/v1/dlq": "dead letters",
    "/v1/keys": "keys",
    "/v1/lag": "operations",
    "/healthz": "health",
    "/readyz": "health",
    "/metrics": "health",
}
OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def heading(path: str) -> str:
    """Return the heading that a path belongs under."""
    return next(name for start, name in HEADINGS.items() if path.startswith(start))


async def test_each_operation_is_under_its_own_heading(tmp_path: Path) -> None:
    browser = {"vapid_key": PUBLISHED_KEY, "subject": "mailto:push@example.com"}
    twilio = {"account_sid": "AC1", "auth_token": "t", "sender": "Shop"}
    bounces = {"domain": "bounces.shop.example", "secret": "0123456789abcdef"}
    texts = {"routes": ("twilio",)}
    async with running(tmp_path, webpush=browser, sms=texts, twilio=twilio, bounces=bounces) as gateway:
        paths = (await gateway.client.get("/openapi.json")).json()["paths"]

    found = {(path, method): each["tags"] for path, operations in paths.items() for method, each in operations.items()}
    assert found == {(path, method): [heading(path)] for path, method in found}
    assert {tag for tags in found.values() for tag in tags} == set(HEADINGS.values())


async def test_the_checks_of_readiness_are_documented(tmp_path: Path) -> None:
    rows = re.findall(r"^\| check of .*?\n\n", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    documented = {
        name for row in rows[0].strip().splitlines()[2:] for name in re.findall(r"`(.*?)`", row.split("|")[1])
    }
    async with running(tmp_path) as gateway:
        checks = (await gateway.client.get("/readyz")).json()["checks"]

    assert documented == {*checks, "channel_<name>"}
