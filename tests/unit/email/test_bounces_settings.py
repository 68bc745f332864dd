"""The section `bounces`: what is missing or wrong is told by its key, at the start."""

from pathlib import Path
from typing import Any

import pytest

from channels.email.bounces_settings import BouncesSettings, listen_at, return_paths
from tocsin.errors import SettingsError

GOOD: dict[str, Any] = {"domain": "bounces.example.com", "secret": "0123456789abcdef"}


def test_without_a_domain_there_are_no_return_paths() -> None:
    assert return_paths(BouncesSettings()) is None


def test_the_secret_may_be_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("0123456789abcdef\n")
    from_file = return_paths(BouncesSettings(domain="Bounces.Example.com", secret_file=str(tmp_path / "secret")))
    given = return_paths(BouncesSettings(**GOOD, retired_secret_files=(str(tmp_path / "secret"),)), retired=["x"])

    assert from_file is not None
    assert from_file.references.secrets == ("0123456789abcdef",)
    assert given is not None
    assert given.references.secrets == ("0123456789abcdef", "x")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"domain": None}, r"bounces\.secret is set, but bounces\.domain is not"),
        ({"domain": None, "secret": None, "listen": "127.0.0.1:1"}, r"bounces\.listen is set, but bounces\.domain"),
        ({"secret": None}, r"set bounces\.secret_file \(or bounces\.secret\) too"),
        ({"secret": "short"}, r"bounces\.secret must have 16 characters"),
        ({"secret_file": "x"}, r"bounces\.secret: is given both"),
        ({"domain": "no domain"}, r"bounces\.domain must be a domain name"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words) as wrong:
        return_paths(BouncesSettings(**GOOD | changes))

    assert "0123456789abcdef" not in str(wrong.value)


@pytest.mark.parametrize(
    ("listen", "at"),
    [
        ("", None),
        ("127.0.0.1:8024", ("127.0.0.1", 8024)),
        ("[::1]:0", ("::1", 0)),
        ("mail.example.com:24", ("mail.example.com", 24)),
    ],
)
def test_where_to_listen(listen: str, at: tuple[str, int] | None) -> None:
    assert listen_at(BouncesSettings(listen=listen)) == at


@pytest.mark.parametrize("listen", ["8024", ":8024", "127.0.0.1", "127.0.0.1:99999", "::1:24", "a b:1"])
def test_a_place_that_is_none_is_told(listen: str) -> None:
    with pytest.raises(SettingsError, match=r"bounces\.listen must be a host and a port"):
        listen_at(BouncesSettings(listen=listen))
