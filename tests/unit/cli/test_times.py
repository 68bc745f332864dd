"""Moments and durations in words."""

from datetime import timedelta

import pytest

from tests.unit.cli.support import NOW
from tocsin.cli import times
from tocsin.cli.failures import Misused


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-1, "0.0 s"),
        (0.04, "0.0 s"),
        (5.25, "5.2 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (18_299, "5 h 4 min"),
        (86_400 * 2 + 3600 * 3, "2 d 3 h"),
    ],
)
def test_spans(seconds: float, words: str) -> None:
    assert times.span(timedelta(seconds=seconds)) == words


def test_relative() -> None:
    assert times.relative(NOW - timedelta(seconds=12), now=NOW) == "12 s ago"
    assert times.relative(NOW + timedelta(minutes=3), now=NOW) == "in 3 min"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("10m", 600),
        ("10 min", 600),
        ("24H", 86_400),
        (" 3d", 259_200),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    assert times.duration(text, option="--x") == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "s", "-1", "1y", "1h30m", "½", "١", "9999999999"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Misused, match="--x"):
        times.duration(text, option="--x")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("30s", "2030-01-01T12:00:00.000Z"),
        ("1d", "2029-12-31T12:00:30.000Z"),
        ("2030-01-01T13:00:00+02:00", "2030-01-01T11:00:00.000Z"),
        ("2030-01-01 11:00:00Z", "2030-01-01T11:00:00.000Z"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    assert times.moment(text, now=NOW, option="--since") == moment


@pytest.mark.parametrize("text", ["2030-01-01T11:00:00", "noon", "999999999d"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(Misused, match="--since"):
        times.moment(text, now=NOW, option="--since")
