"""What goes wrong: for ever with a subscription made so, or for a while with any of them. Pure."""

from collections.abc import Mapping

import msgspec

from simulators import faults

# What a subscription may be made to answer, whatever comes. `ok` takes messages.
OK = "ok"
GOOGLE_MISMATCH = (
    "the VAPID credentials in the authorization header do not correspond to the credentials used to create the "
    "subscriptions.\n"
)


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong, with which subscription (its id; none: with all), and how often (none: for ever).

    It waits for `delay_seconds` first. Without a `status` the message is taken, and recorded before the wait: a client
    that does not wait for the answer has sent it all the same. `drop` then cuts the connection before the answer is
    whole.
    """

    status: int | None = None
    headers: Mapping[str, str] = {}
    body: str = ""
    drop: bool = False
    delay_seconds: float = 0.0
    subscription: str | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.status is not None and self.drop:
            raise ValueError("choose one of `status` and `drop`")

    def meets(self, subscription: str) -> bool:
        """Return whether it is meant for this subscription."""
        return self.subscription in (None, subscription)


BEHAVIOURS: Mapping[str, Fault | None] = {
    OK: None,
    "gone": Fault(status=410, body='{"code":410,"errno":106,"error":"Gone","message":"Subscription has expired"}'),
    "unknown": Fault(status=404, body='{"code":404,"errno":102,"error":"Not Found","message":"No such subscription"}'),
    "other-key": Fault(status=403, body=GOOGLE_MISMATCH),
    "refused": Fault(status=401, body='{"code":401,"errno":109,"error":"Unauthorized"}'),
    "too-large": Fault(status=413, body='{"code":413,"errno":104,"error":"Payload Too Large"}'),
    "throttled": Fault(status=429, headers={"Retry-After": "60"}),
    "unavailable": Fault(status=503, body='{"code":503,"errno":201,"error":"Service Unavailable"}'),
    "redirect": Fault(status=307, headers={"Location": "https://push.example/elsewhere"}),
}


Faults = faults.Faults[Fault]
