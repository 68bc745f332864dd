"""When a text came first, whichever process it came to, and however often it comes again.

Not every provider tells when a text was written. A claim of the ledger remembers when the first of its callbacks came.
"""

from datetime import datetime, timedelta

from channels.sms.receipts import CHANNEL
from tocsin.clock import Clock, from_ms, to_ms
from tocsin.errors import LogUnavailable
from tocsin.ledger.port import Accepted, Ledger, Repeated, Submission, SubmitClaim
from tocsin.store.texts import storable

# No tenant has this name: what callbacks claim and what clients claim are kept apart.
_TENANT = f"{CHANNEL}.callbacks"
# Providers give up repeating a callback long before.
_KEPT = timedelta(days=7)


class FirstCallbacks:
    """The first callbacks of texts, as the ledger knows them."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    async def of(self, provider: str, provider_id: str) -> datetime:
        """Return when the first callback of a text came: now, or what was returned then. Raises LogError."""
        now = from_ms(to_ms(self._clock.now()))
        key = f"{provider}:{storable(provider_id)}"
        claim = SubmitClaim(tenant=_TENANT, key=key, fingerprint=b"first", expires_at=now + _KEPT)
        submission = Submission(records=(), answer=b"%d" % to_ms(now), claim=claim)
        [answer] = await self._ledger.submit([submission])
        match answer:
            case Accepted():
                return now
            case Repeated(answer=first):
                return from_ms(int(first))
            case _:
                raise LogUnavailable("another process takes the same text")
