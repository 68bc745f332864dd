"""The provider: claimed, put there once, told to who listens; and what it says where that cannot be."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import Letter
from channels.browser.inbox_post import Post
from channels.browser.inbox_provider import WRITTEN, InboxProvider
from channels.browser.settings import InboxSettings
from tests.support.clock import ManualClock
from tests.unit.browser.letters import ADA, bodies, letter
from tocsin.errors import NotClaimed, StoreUnavailable
from tocsin.outcome import Deferred, Delivered, Outcome, Unconfirmed
from tocsin.runtime.wakeups import Wakeups
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade

KEY = f"{letter(1).delivery_id}:2"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as opened:
        await upgrade(opened)
        yield opened


class Sender:
    """A provider, and who is told of what it puts there."""

    def __init__(self, inboxes: Inboxes) -> None:
        self.told: list[object] = []
        wakeups = Wakeups()
        wakeups.listen(WRITTEN, self.told.append)
        self.provider = InboxProvider(Post(inboxes), limits=InboxSettings(), wakeups=wakeups)
        self.claims = 0
        self.granted = True

    async def claim(self) -> None:
        self.claims += 1
        if not self.granted:
            raise NotClaimed

    async def send(self, seconds: float = 5.0) -> Outcome:
        deadline = asyncio.get_running_loop().time() + seconds
        return await self.provider.send(letter(1), key=KEY, deadline=deadline, claim=self.claim)


class Stuck(Inboxes):
    """Inboxes whose store never answers."""

    async def put(self, letters: Sequence[tuple[Letter, int]]) -> None:
        """See `Inboxes`."""
        del letters
        await asyncio.Event().wait()


class Away(Inboxes):
    """Inboxes whose store is away."""

    async def put(self, letters: Sequence[tuple[Letter, int]]) -> None:
        """See `Inboxes`."""
        raise StoreUnavailable(f"no room for {len(letters)}")


def inboxes(store: Store, kind: type[Inboxes] = Inboxes) -> Inboxes:
    return kind(store=store, clock=ManualClock(), most=10)


async def test_what_is_delivered_lies_there_once_and_who_listens_is_told(store: Store) -> None:
    kept = inboxes(store)
    sender = Sender(kept)
    outcomes = [await sender.send(), await sender.send()]
    [found] = await kept.since(ADA, 0, limit=10)

    assert outcomes == [Delivered(provider_id=KEY)] * 2
    assert (found.delivery_id, found.life) == (letter(1).delivery_id, 2)
    assert sender.told == [ADA, ADA]
    assert sender.claims == 2


async def test_what_is_not_claimed_is_not_put_there(store: Store) -> None:
    kept = inboxes(store)
    sender = Sender(kept)
    sender.granted = False

    with pytest.raises(NotClaimed):
        await sender.send()
    assert await bodies(kept) == []
    assert sender.told == []


async def test_a_store_that_is_away_is_tried_again_later(store: Store) -> None:
    sender = Sender(inboxes(store, Away))

    assert isinstance(await sender.send(), Deferred)
    assert sender.told == []


async def test_a_store_that_does_not_answer_leaves_the_outcome_unknown(store: Store) -> None:
    sender = Sender(inboxes(store, Stuck))

    assert isinstance(await sender.send(seconds=0.5), Unconfirmed)
    assert sender.told == []
