"""What a receipt says of the provider, apart from what it says of the message."""

from typing import Any

import pytest

from tests.support.clock import ManualClock
from tocsin import ids, receipts
from tocsin.lifecycle import AuditEvent, Event
from tocsin.receipts import Verdict, verdict

ARRIVED = Verdict(channel="sms", provider="twilio", arrived=True)
FAILED = Verdict(channel="sms", provider="twilio", arrived=False)


def receipt(event: Event, **data: Any) -> AuditEvent:
    return receipts.receipt(
        event,
        delivery_id=f"{ids.DELIVERY}{0:026}",
        notification_id=f"{ids.NOTIFICATION}{0:026}",
        tenant="default",
        life=0,
        provider_id="SM1",
        time=ManualClock().now(),
        data={"channel": "sms", "provider": "twilio", "provider_id": "SM1", "code": "", "message": "", **data},
    )


@pytest.mark.parametrize(
    ("event", "data", "found"),
    [
        (Event.RECEIPT_CONFIRMED, {}, ARRIVED),
        (Event.RECEIPT_FAILED, {"scope": "route"}, FAILED),
        (Event.RECEIPT_FAILED, {}, None),
        (Event.RECEIPT_FAILED, {"address": "+12025550143"}, None),
        (Event.RECEIPT_READ, {}, None),
        (Event.RECEIPT_OPTED_OUT, {}, None),
        (Event.DELIVERED, {}, None),
    ],
)
def test_a_failure_counts_where_the_provider_is_at_fault(
    event: Event, data: dict[str, str], found: Verdict | None
) -> None:
    assert verdict(receipt(event, **data)) == found
