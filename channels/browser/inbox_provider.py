"""The provider: the inboxes in the store. What it has taken is durably there for the person's page to show."""

import asyncio

from channels.browser.inbox_message import Letter
from channels.browser.inbox_post import Post
from channels.provider import Capabilities, Claim, RouteSettings
from tocsin.errors import StoreUnavailable
from tocsin.outcome import Deferred, Delivered, Outcome, Unconfirmed
from tocsin.runtime.wakeups import Wakeups

NAME = "inbox"
# What is told of an inbox that something was put into.
WRITTEN = "browser.inbox"
# They wait for one writer, which takes all that wait at once.
_IN_FLIGHT = 100


class InboxProvider:
    """Implements `channels.provider.Provider` for messages of type `Letter`."""

    def __init__(self, post: Post, *, limits: RouteSettings, wakeups: Wakeups) -> None:
        self._post = post
        self._wakeups = wakeups
        # A letter that comes again stays one. A receipt comes when it is read.
        taking = Capabilities(idempotency=True, receipts=True, max_in_flight=_IN_FLIGHT)
        self.capabilities = limits.applied_to(taking)

    @property
    def name(self) -> str:
        """The route's name."""
        return NAME

    async def send(self, message: Letter, *, key: str, deadline: float, claim: Claim) -> Outcome:
        """Put one letter into its inbox, as the port demands. `key` is the port's: `<delivery id>:<life>`."""
        await claim()
        try:
            async with asyncio.timeout_at(deadline):
                await self._post.put(message, int(key.rpartition(":")[2]))
        except StoreUnavailable:
            # It may be there, where the connection broke during the commit. Then trying again changes nothing.
            return Deferred(cause="store_unavailable", code="store_unavailable", message="the store cannot be used")
        except TimeoutError:
            return Unconfirmed(phase="write", message="the store did not answer in time")
        self._wakeups.tell(WRITTEN, message.owner)
        return Delivered(provider_id=key)

    async def aclose(self) -> None:
        """The store is the gateway's own."""
