"""Many letters, few transactions; and each letter's end is its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from channels.browser.inbox import Inboxes
from channels.browser.inbox_message import Letter
from channels.browser.inbox_post import Post
from tests.support.clock import ManualClock
from tests.unit.browser.letters import bodies, letter
from tocsin.errors import StoreUnavailable
from tocsin.store.engine import Store, open_store
from tocsin.store.migrate import upgrade


class Watched(Inboxes):
    """Inboxes whose transactions a test counts, holds back and fails."""

    def __init__(self, store: Store) -> None:
        super().__init__(store=store, clock=ManualClock(), most=1000)
        self.sizes: list[int] = []
        self.go = asyncio.Event()
        self.go.set()
        self.begun = asyncio.Event()
        self.poison = ""
        self.away = False

    async def put(self, letters: Sequence[tuple[Letter, int]]) -> None:
        """See `Inboxes`."""
        self.sizes.append(len(letters))
        self.begun.set()
        await self.go.wait()
        if self.away:
            raise StoreUnavailable("away")
        if any(each.shown.body == self.poison for each, _ in letters):
            raise ValueError("poison")
        await super().put(letters)


@pytest.fixture
async def inboxes(tmp_path: Path) -> AsyncIterator[Watched]:
    async with open_store(f"sqlite:///{tmp_path / 'store.db'}") as store:
        await upgrade(store)
        yield Watched(store)


async def held(inboxes: Watched, post: Post) -> asyncio.Task[None]:
    """Return the first letter's task, in the middle of its transaction."""
    inboxes.go.clear()
    first = asyncio.create_task(post.put(letter(0), 0))
    await inboxes.begun.wait()
    return first


async def test_what_comes_during_a_transaction_is_put_there_in_the_next_one(inboxes: Watched) -> None:
    post = Post(inboxes)
    first = await held(inboxes, post)
    others = [asyncio.create_task(post.put(letter(number), 0)) for number in range(1, 251)]
    await asyncio.sleep(0)
    inboxes.go.set()
    await asyncio.gather(first, *others)

    assert inboxes.sizes == [1, 100, 100, 50]
    assert await bodies(inboxes) == [str(number) for number in range(251)]


async def test_a_store_that_is_away_is_told_to_all_and_the_next_one_is_put_there(inboxes: Watched) -> None:
    post = Post(inboxes)
    inboxes.away = True
    ended = await asyncio.gather(*(post.put(letter(number), 0) for number in range(3)), return_exceptions=True)
    inboxes.away = False
    await post.put(letter(3), 0)

    assert [type(each) for each in ended] == [StoreUnavailable] * 3
    assert await bodies(inboxes) == ["3"]


async def test_one_that_cannot_be_kept_takes_no_other_with_it(inboxes: Watched) -> None:
    post = Post(inboxes)
    first = await held(inboxes, post)
    inboxes.poison = "2"
    others = [asyncio.create_task(post.put(letter(number), 0)) for number in range(1, 4)]
    await asyncio.sleep(0)
    inboxes.go.set()
    ended = await asyncio.gather(first, *others, return_exceptions=True)

    assert [type(each) for each in ended] == [type(None), type(None), ValueError, type(None)]
    assert await bodies(inboxes) == ["0", "1", "3"]


async def test_who_is_cancelled_in_the_middle_leaves_the_others_letters_to_the_next(inboxes: Watched) -> None:
    post = Post(inboxes)
    first = await held(inboxes, post)
    second, third = (asyncio.create_task(post.put(letter(number), 0)) for number in (1, 2))
    await asyncio.sleep(0)
    inboxes.begun.clear()
    first.cancel()
    await asyncio.wait([first])
    await inboxes.begun.wait()
    second.cancel()
    await asyncio.wait([second])
    inboxes.go.set()
    await third

    assert await bodies(inboxes) == ["2"]
    assert inboxes.sizes == [1, 2, 1]
