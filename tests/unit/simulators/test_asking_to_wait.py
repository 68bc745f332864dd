"""How a simulator asks its caller to wait: not at all, in seconds, or by a date."""

from datetime import UTC, datetime

import pytest

from simulators.faults import retry_after
from simulators.mail.faults import Fault

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "as_date", "expected"),
    [
        (None, False, {}),
        (None, True, {}),
        (300, False, {"Retry-After": "300"}),
        (300, True, {"Retry-After": "Tue, 01 Jan 2030 12:05:00 GMT"}),
    ],
)
def test_it_is_asked_in_the_form_that_the_fault_has(
    seconds: int | None, expected: dict[str, str], *, as_date: bool
) -> None:
    fault = Fault(status=429, retry_after_seconds=seconds, retry_after_as_date=as_date)

    assert retry_after(fault, NOON) == expected
