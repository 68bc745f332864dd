"""Secrets that change in their files while receipts of what was sent before are still on their way."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

from channels.sms.reference import References
from channels.sms.vonage_callbacks import signature
from tests.support.clock import ManualClock
from tests.unit.sms.calling import SECTIONS, Called, calling
from tests.unit.sms.conftest import NUMBER


@pytest.fixture
def secrets(tmp_path: Path) -> dict[str, Path]:
    found = {name: tmp_path / name for name in ("token", "secret", "signature")}
    for name, path in found.items():
        path.write_text(f"old-{name}")
    return found


@pytest.fixture
async def called(tmp_path: Path, clock: ManualClock, secrets: dict[str, Path]) -> AsyncIterator[Called]:
    twilio = {"account_sid": "AC1", "sender": "Shop", "auth_token_file": str(secrets["token"])}
    files = {"api_secret_file": str(secrets["secret"]), "signature_secret_file": str(secrets["signature"])}
    sections = {**SECTIONS, "twilio": twilio, "vonage": {"api_key": "key", "sender": "Shop", **files}}
    async with calling(tmp_path, clock, sections=sections) as made:
        yield made


async def by_twilio(called: Called, *, written: str, signed: str) -> int:
    """Return how a receipt is answered that brings back a reference of one token and is signed with another."""
    path = "/v1/callbacks/twilio/status/" + quote(References(written).write(called.reference, NUMBER), safe="")
    form = {"MessageSid": "SM1", "To": NUMBER, "MessageStatus": "delivered"}
    return (await called.post(path, form, sign=signed)).status_code


async def by_vonage(called: Called, *, written: str, signed: str) -> int:
    told = called.vonage("delivered", **{"client-ref": References(written).write(called.reference, NUMBER)})
    told["sig"] = signature(told, signed)
    return (await called.client.post("/v1/callbacks/vonage/status", json=told)).status_code


async def test_twilio_signs_with_the_new_token_what_was_sent_with_the_old(
    called: Called, secrets: dict[str, Path]
) -> None:
    before = await by_twilio(called, written="old-token", signed="old-token")
    secrets["token"].write_text("new-token")
    answers = [
        await by_twilio(called, written=written, signed=signed)
        for written, signed in (
            ("old-token", "new-token"),
            ("new-token", "new-token"),
            ("new-token", "old-token"),
            ("guessed", "new-token"),
        )
    ]

    assert (before, answers) == (204, [204, 204, 403, 403])


async def test_vonage_brings_back_what_was_sent_with_the_old_secret(called: Called, secrets: dict[str, Path]) -> None:
    secrets["secret"].write_text("new-secret")
    secrets["signature"].write_text("new-signature")
    answers = [
        await by_vonage(called, written=written, signed=signed)
        for written, signed in (
            ("old-secret", "new-signature"),
            ("new-secret", "new-signature"),
            ("new-secret", "old-signature"),
            ("guessed", "new-signature"),
        )
    ]

    assert answers == [204, 204, 403, 403]


@pytest.mark.parametrize("content", ["", None])
async def test_a_token_that_is_none_leaves_the_old_one_in_use(
    called: Called, secrets: dict[str, Path], content: str | None
) -> None:
    if content is None:
        secrets["token"].unlink()
    else:
        secrets["token"].write_text(content)
    kept = await by_twilio(called, written="old-token", signed="old-token")
    secrets["token"].write_text("new-token")

    assert kept == 204
    assert await by_twilio(called, written="new-token", signed="new-token") == 204


def test_references_of_the_last_three_secrets_are_read(called: Called) -> None:
    keys = ["first", "second", "third", "fourth"]
    now: References | None = None
    for key in keys:
        now = References(key, now)
    assert now is not None
    found = [now.read(References(key).write(called.reference, NUMBER), NUMBER) is not None for key in keys]

    assert found == [False, True, True, True]
    assert References("fourth").read(now.write(called.reference, NUMBER), NUMBER) == called.reference
