"""The gateway dies of SIGKILL at each step between accept and terminal state, and its heir loses nothing."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.crash_client import Client, all_ended, decide, documents, letters, letters_become
from tests.chaos.crash_evidence import gathered
from tests.chaos.crash_ordeal import Forge, Incarnation, Ordeal, forging, ordeal
from tests.chaos.crash_verdict import judged
from tocsin.lifecycle import Event

COUNT = 40
REFUSED = COUNT // 10
SPEED = 50

DELIVERING = {
    "accept: asked for, and not durable": ("producer.submit.before", 20),
    "accept: durable, and not answered": ("producer.submit.after", 20),
    "write: in the transaction of an accept": ("log.append", 20),
    "write: in the transaction of a settlement": ("log.append", 50),
    "write: accepts written, and not committed": ("log.flush", 2),
    "write: settlements written, and not committed": ("log.flush", 8),
    "claim: about to be made": ("channels.claim.before", 12),
    "claim: made, and nothing sent": ("channels.claim.after", 12),
    "send: answered, and not settled": ("channels.send.after", 12),
    "settle: about to be confirmed": ("channels.settle.before", 12),
    "settle: confirmed, and not committed": ("channels.settle.after", 12),
    "commit: offsets about to be committed": ("channels.email.normal.commit.before", 1),
    "commit: offsets committed": ("channels.email.normal.commit.after", 1),
    "commit: offsets of retries about to be committed": ("channels.email.normal.retry.commit.before", 1),
    "audit: rows written, and not committed": ("audit.store.before", 2),
    "ingest: rows committed, and not the log's offsets": ("audit.ingest.commit.before", 2),
    "ingest: both committed": ("audit.ingest.commit.after", 2),
    "ingest: dead letters written, and not committed": ("dlq.store.before", 1),
    "ingest: dead letters committed, and not the log's offsets": ("dlq.ingest.commit.before", 1),
}
# What is in the log, durable, each time that one of these is passed.
DURABLE = {"producer.submit.after": Event.ACCEPTED, "channels.settle.after": Event.ATTEMPTED}
REPLAYING = {
    "replay: decided, and not published": ("dlq.submit.before", 3),
    "replay: published, and not noted": ("dlq.submit.after", 3),
}
DISCARDING = {
    "discard: decided, and not published": ("dlq.write.before", 3),
    "discard: published, and not noted": ("dlq.write.after", 3),
}


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with forging() as made:
        yield made


async def dies(stage: Ordeal, gateway: Incarnation, failpoint: str) -> None:
    """Return once the gateway has died where it was to die."""
    assert await gateway.exit_code() == -signal.SIGKILL
    assert stage.marker() == failpoint


@pytest.mark.parametrize(("failpoint", "passing"), DELIVERING.values(), ids=DELIVERING.keys())
async def test_a_crash_on_the_way_loses_nothing(tmp_path: Path, forge: Forge, failpoint: str, passing: int) -> None:
    client = Client(documents(COUNT))
    async with ordeal(tmp_path, forge, speed=SPEED) as stage:
        async with stage.gateway(failpoint, passing=passing) as doomed:
            await client.submit(doomed)
            await dies(stage, doomed, failpoint)
        async with stage.gateway() as heir:
            await client.submit(heir)
            await client.submit(heir, list(client.given))
            await all_ended(heir, COUNT)
            await letters_become(heir, REFUSED)
        evidence = await gathered(tmp_path)
        judged(client, stage, evidence)

    if failpoint in DURABLE:
        at_the_kill = [event for at, event in evidence.events if at <= doomed.died_at]
        assert sum(event.type is DURABLE[failpoint] for event in at_the_kill) >= passing


@pytest.mark.parametrize(("failpoint", "passing"), REPLAYING.values(), ids=REPLAYING.keys())
async def test_a_crash_in_a_replay_opens_one_life_more(
    tmp_path: Path, forge: Forge, failpoint: str, passing: int
) -> None:
    client = Client(documents(COUNT))
    async with ordeal(tmp_path, forge, speed=SPEED) as stage:
        async with stage.gateway(failpoint, passing=passing) as doomed:
            await client.submit(doomed)
            await all_ended(doomed, COUNT)
            dead = await letters_become(doomed, REFUSED)
            stage.mend()
            await decide(doomed, dead, "replay")
            await dies(stage, doomed, failpoint)
        async with stage.gateway() as heir:
            begun = [letter for letter in await letters(heir) if letter["state"] != "open"]
            # What was decided is carried out though nobody asks again; then everybody asks again.
            await letters_become(heir, len(begun), state="replayed", replay_state="delivered")
            again = await decide(heir, dead, "replay")
            await letters_become(heir, REFUSED, replay_state="delivered")
            await all_ended(heir, COUNT)
        judged(client, stage, await gathered(tmp_path), replayed=[letter["delivery_id"] for letter in dead])

    assert len(begun) >= passing
    assert again.count(409) >= len(begun)


@pytest.mark.parametrize(("failpoint", "passing"), DISCARDING.values(), ids=DISCARDING.keys())
async def test_a_crash_in_a_discard_discards_once(tmp_path: Path, forge: Forge, failpoint: str, passing: int) -> None:
    client = Client(documents(COUNT))
    async with ordeal(tmp_path, forge, speed=SPEED) as stage:
        async with stage.gateway(failpoint, passing=passing) as doomed:
            await client.submit(doomed)
            await all_ended(doomed, COUNT)
            dead = await letters_become(doomed, REFUSED)
            await decide(doomed, dead, "discard")
            await dies(stage, doomed, failpoint)
        async with stage.gateway() as heir:
            await decide(heir, dead, "discard")
            await letters_become(heir, REFUSED, state="discarded")
            replays = await decide(heir, dead, "replay")
            assert await heir.drained() == 0
        evidence = await gathered(tmp_path)
        judged(client, stage, evidence)

    discarded = {event.delivery_id for _, event in evidence.events if event.type is Event.DISCARDED}
    assert replays == [409] * REFUSED
    assert discarded == {letter["delivery_id"] for letter in dead}


async def test_a_hundred_posts_of_one_key_and_a_crash_are_one_notification(tmp_path: Path, forge: Forge) -> None:
    """Scenario 14, with the first answer lost."""
    client = Client(documents(1))
    keys = list(client.given) * 100
    async with ordeal(tmp_path, forge, speed=SPEED) as stage:
        async with stage.gateway("producer.submit.after", passing=1) as doomed:
            await client.submit(doomed, keys)
            await dies(stage, doomed, "producer.submit.after")
        unanswered = client.unanswered
        async with stage.gateway() as heir:
            await client.submit(heir, keys)
            await all_ended(heir, 1)
        judged(client, stage, await gathered(tmp_path))

    assert unanswered == list(client.given)
