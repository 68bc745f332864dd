"""VAPID: keys as they are given, tokens as push services check them, and how long one is kept."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from py_vapid import Vapid02  # type: ignore[import-untyped] # it has no types

from channels.browser import base64url, keys, vapid
from channels.browser.keys import VapidKey, VapidKeys
from channels.browser.settings import WebPushSettings
from channels.browser.vapid import Vapid
from tests.support.clock import ManualClock
from tests.unit.browser.support import SERVER_PRIVATE, SERVER_PUBLIC
from tocsin.errors import SettingsError

ORIGIN = "https://fcm.googleapis.com"
SUBJECT = "mailto:push@example.com"
# Of the curve secp128r1, which the library does not know.
UNKNOWN_CURVE = """-----BEGIN EC PRIVATE KEY-----
MEQCAQEEEE5M5Mi2/uuekIWwZXew5lygBwYFK4EEAByhJAMiAARkhob362E+4ZZz
BI07pqO/HCqJpalb8zjAxunwoB+aog==
-----END EC PRIVATE KEY-----
"""


@pytest.fixture
def key() -> VapidKey:
    found = keys.read(SERVER_PRIVATE)
    assert found is not None
    return found


def pem(private: Any, password: bytes | None = None) -> str:
    how = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    made: bytes = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)
    return made.decode()


def claims(header: str) -> dict[str, Any]:
    token = header.removeprefix("vapid t=").partition(",")[0]
    found: dict[str, Any] = msgspec.json.decode(base64url.decode(token.split(".")[1]))
    return found


def test_a_token_is_what_another_implementation_verifies(key: VapidKey) -> None:
    header = Vapid(SUBJECT, now=ManualClock().now).header(key, ORIGIN)

    assert Vapid02.verify(header.replace(", k=", ",k="))
    assert header.endswith(f", k={SERVER_PUBLIC}")


def test_a_token_is_for_one_origin_half_a_day_and_says_who_we_are(key: VapidKey) -> None:
    clock = ManualClock()
    found = claims(Vapid(SUBJECT, now=clock.now).header(key, ORIGIN))

    assert found == {
        "aud": ORIGIN,
        "exp": int((clock.now() + timedelta(hours=12)).timestamp()),
        "sub": SUBJECT,
    }


def test_a_token_is_kept_until_it_has_an_hour_left(key: VapidKey) -> None:
    clock = ManualClock()
    signer = Vapid(SUBJECT, now=clock.now)
    first = signer.header(key, ORIGIN)
    clock.advance(timedelta(hours=11) - timedelta(seconds=1))
    assert signer.header(key, ORIGIN) == first

    clock.advance(timedelta(seconds=1))
    second = signer.header(key, ORIGIN)

    assert claims(second)["exp"] == claims(first)["exp"] + 11 * 3600


def test_each_origin_and_each_key_has_its_own_token(key: VapidKey) -> None:
    other = keys.read(pem(ec.generate_private_key(ec.SECP256R1())))
    assert other is not None
    signer = Vapid(SUBJECT, now=ManualClock().now)

    assert claims(signer.header(key, "https://web.push.apple.com"))["aud"] == "https://web.push.apple.com"
    assert signer.header(other, ORIGIN).endswith(other.public)
    assert signer.header(key, ORIGIN).endswith(key.public)


def test_a_stranger_cannot_fill_the_memory_with_origins(key: VapidKey) -> None:
    signer = Vapid(SUBJECT, now=ManualClock().now)
    for number in range(1_001):
        signer.header(key, f"https://{number}.example.com")

    assert len(signer._kept) == 1_000


@pytest.mark.parametrize(
    "given",
    [SUBJECT, "mailto:a.b+c@push.example.co.uk", "https://example.com", "https://example.com:8443/contact?a=b"],
)
def test_a_subject_is_where_somebody_can_be_reached(given: str) -> None:
    assert vapid.subject(given) == given


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        "push@example.com",
        "mailto: push@example.com",
        "mailto:<push@example.com>",
        "mailto:push@localhost",
        "mailto:push@example.invalid",
        "mailto:push@gateway.local",
        "https://localhost",
        "https://localhost:8080/",
        "http://example.com",
        "https://exa mple.com",
    ],
)
def test_a_subject_that_apple_refuses_is_refused_here(given: str | None) -> None:
    with pytest.raises(SettingsError, match=r"webpush\.subject"):
        vapid.subject(given)


@pytest.mark.parametrize(
    "form", [lambda key: pem(key.private), lambda _: SERVER_PRIVATE, lambda _: f"{SERVER_PRIVATE}=\n"]
)
def test_a_key_is_the_same_in_each_form(key: VapidKey, form: Callable[[VapidKey], str]) -> None:
    found = keys.read(form(key))

    assert found is not None
    assert (found.id, found.public) == (key.id, SERVER_PUBLIC)
    assert len(found.id) == 16


def test_what_is_no_key_of_the_curve_is_none(key: VapidKey) -> None:
    for text in (
        "",
        "x" * 42,
        base64url.encode(bytes(32)),
        pem(ec.generate_private_key(ec.SECP384R1())),
        pem(rsa.generate_private_key(65537, 2048)),
        pem(key.private, b"password"),
        "-----BEGIN PRIVATE KEY-----\nnothing\n-----END PRIVATE KEY-----\n",
        UNKNOWN_CURVE,
    ):
        assert keys.read(text) is None


def test_retired_keys_are_found_by_id_and_the_current_one_without(tmp_path: Path, key: VapidKey) -> None:
    current = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "new.pem").write_text(pem(current))
    (tmp_path / "old.pem").write_text(pem(key.private))
    found = keys.load(
        WebPushSettings(vapid_key_file=str(tmp_path / "new.pem"), retired_key_files=(str(tmp_path / "old.pem"),))
    )

    assert found.find(None) == found.current
    assert found.current.id != key.id
    old = found.find(key.id)
    assert old is not None
    assert old.public == SERVER_PUBLIC
    assert found.find("k" * 16) is None


def test_a_file_that_holds_no_key_is_a_mistake_told_without_it(tmp_path: Path) -> None:
    (tmp_path / "bad.pem").write_text("hunter2")

    with pytest.raises(SettingsError, match="tocsin vapid new") as told:
        keys.load(WebPushSettings(vapid_key_file=str(tmp_path / "bad.pem")))
    with pytest.raises(SettingsError, match=r"retired_key_files: .*bad\.pem"):
        keys.load(WebPushSettings(vapid_key=SERVER_PRIVATE, retired_key_files=(str(tmp_path / "bad.pem"),)))
    with pytest.raises(SettingsError, match="vapid_key_file is not set"):
        keys.load(WebPushSettings())
    assert "hunter2" not in str(told.value)


def test_a_key_shows_nothing_of_itself(key: VapidKey) -> None:
    assert "private" not in repr(key)


def test_a_new_key_takes_the_place_of_one_that_is_kept_as_retired(tmp_path: Path, key: VapidKey) -> None:
    (tmp_path / "new").write_text(pem(ec.generate_private_key(ec.SECP256R1())))
    (tmp_path / "old").write_text(pem(key.private))
    settings = WebPushSettings(vapid_key_file=str(tmp_path / "new"))
    before = VapidKeys(current=key, by_id={key.id: key})
    kept = keys.load(msgspec.structs.replace(settings, retired_key_files=(str(tmp_path / "old"),)))

    assert keys.succeeding(None, keys.load(settings)).find(key.id) is None
    assert keys.succeeding(before, kept) is kept
    with pytest.raises(SettingsError, match=r"webpush\.vapid_key_file: .* webpush\.retired_key_files"):
        keys.succeeding(before, keys.load(settings))
