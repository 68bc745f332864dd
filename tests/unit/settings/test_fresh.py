"""A value made from files is as new as they are, and as old as they were when they were last of use."""

from pathlib import Path

import pytest

from tocsin.errors import SettingsError
from tocsin.settings.fresh import Fresh
from tocsin.settings.secrets import secret


def reading(path: Path) -> Fresh[tuple[str, ...]]:
    """Return the contents of a file so far, the newest first."""

    def make(before: tuple[str, ...] | None) -> tuple[str, ...]:
        return (secret(None, str(path), key="twilio.auth_token") or "", *(before or ()))

    return Fresh(make, {"twilio.auth_token_file": path})


def test_a_file_that_changes_is_read_anew_and_one_that_stays_is_not(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    fresh = reading(path)
    before = (fresh.get(), fresh.get())
    path.write_text("second")

    assert before == (("first",), ("first",))
    assert (fresh.get(), fresh.get()) == (("second", "first"), ("second", "first"))


def test_a_file_of_no_use_leaves_the_value_until_it_is_mended(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first")
    fresh = reading(path)
    path.write_text("")
    kept = fresh.get()
    path.unlink()
    still = fresh.get()
    path.write_text("second")

    assert (kept, still, fresh.get()) == (("first",), ("first",), ("second", "first"))


def test_at_the_start_a_file_of_no_use_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"twilio\.auth_token_file"):
        reading(tmp_path / "token")


def test_without_files_it_is_made_once() -> None:
    made: list[None] = []
    fresh = Fresh(lambda _: made.append(None), {})
    fresh.get()
    fresh.get()

    assert len(made) == 1
