"""How long an answer asks to wait: whatever it says is read, or is nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin.net.retry_after import retry_after

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
MOST = timedelta(seconds=10**8)
DIGITS = st.text("0123456789", min_size=1, max_size=30)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("120", timedelta(minutes=2)),
        (" 0 ", timedelta()),
        ("Tue, 01 Jan 2030 12:00:30 GMT", timedelta(seconds=30)),
        ("Tue, 01 Jan 2030 12:00:30 -0000", timedelta(seconds=30)),
        ("Tue, 01 Jan 2030 11:00:00 GMT", timedelta()),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST),
        ("9" * 400, MOST),
    ],
)
def test_a_wait_is_read(text: str, wait: timedelta) -> None:
    assert retry_after(text, NOW) == wait


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "soon",
        "-5",
        "1.5",
        "\u0663",
        "Mon, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 2030 00:00:00 +9999999999999999",
        "Mon, 01 Jan 2030 99999999999999999999:00:00 GMT",
    ],
)
def test_what_is_no_wait_is_none(text: str | None) -> None:
    assert retry_after(text, NOW) is None


@given(
    st.text(max_size=60)
    | st.builds("Mon, {} Jan {} {}:00:00 {}{}".format, DIGITS, DIGITS, DIGITS, st.sampled_from("+-"), DIGITS)
)
def test_whatever_is_said_is_a_bounded_wait_or_none(text: str) -> None:
    found = retry_after(text, NOW)

    assert found is None or timedelta() <= found <= MOST
