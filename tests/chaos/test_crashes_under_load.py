"""Scenario 1: the gateway is killed again and again while clients go on submitting. Prints its table."""

import asyncio
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from simulators.smtp.faults import Fault
from tests.chaos.crash_client import Client, all_ended, documents, letters_become
from tests.chaos.crash_evidence import gathered
from tests.chaos.crash_ordeal import Forge, Incarnation, Ordeal, forging, ordeal
from tests.chaos.crash_verdict import judged
from tests.support.waiting import until

BATCH = 10
CLIENTS = 4
# A moment before each answer, so that there is always something in the air when the gateway dies.
SLOW = Fault(phase="body", delay_seconds=0.02)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How much, how fast (batches come `pace` apart), and how often it is killed: after so many mails, or seconds."""

    events: int
    kills: int
    speed: float
    pace: timedelta
    mails: tuple[int, int] | None = None
    seconds: tuple[float, float] | None = None


SHORT = Form(events=600, kills=3, speed=50, pace=timedelta(), mails=(60, 140))
LONG = Form(events=10_000, kills=36, speed=1, pace=timedelta(milliseconds=200), seconds=(4.0, 6.0))


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    with forging() as made:
        yield made


class Load:
    """Clients that submit in batches, to whichever gateway lives, and repeat what was not answered."""

    def __init__(self, client: Client, pace: timedelta) -> None:
        self._client = client
        self._pace = pace.total_seconds()
        self._gateway: Incarnation | None = None
        self._changed = asyncio.Condition()

    async def goes_to(self, gateway: Incarnation | None) -> None:
        """Send what comes next to this gateway; to none while there is none."""
        async with self._changed:
            self._gateway = gateway
            self._changed.notify_all()

    async def run(self) -> None:
        """Submit everything."""
        keys = list(self._client.given)
        start = asyncio.get_running_loop().time()
        due = enumerate(keys[first : first + BATCH] for first in range(0, len(keys), BATCH))

        async def client() -> None:
            for number, batch in due:
                await asyncio.sleep(start + number * self._pace - asyncio.get_running_loop().time())
                await self._submit(batch)

        async with asyncio.TaskGroup() as clients:
            for _ in range(CLIENTS):
                clients.create_task(client())

    async def _submit(self, batch: Sequence[str]) -> None:
        gateway = await self._other_than(None)
        while not await self._client.submit_batch(gateway, batch):
            gateway = await self._other_than(gateway)

    async def _other_than(self, tried: Incarnation | None) -> Incarnation:
        """Return the gateway that lives, once it is not the one that has just failed."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._gateway not in (None, tried))
            assert self._gateway is not None
            return self._gateway


async def time_to_die(stage: Ordeal, form: Form, chance: random.Random, load: asyncio.Task[None]) -> None:
    """Return at a random moment, at the latest when the load is over."""
    if form.mails is not None:
        enough = stage.sent + chance.randint(*form.mails)
        await until(lambda: stage.sent >= enough or load.done(), what="mails to be sent", seconds=120)
    if form.seconds is not None:
        await asyncio.wait([load], timeout=chance.uniform(*form.seconds))


@pytest.mark.timeout(600)
async def test_every_event_ends_once_though_the_gateway_is_killed_again_and_again(
    tmp_path: Path, forge: Forge, long: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    form = LONG if long else SHORT
    client, chance = Client(documents(form.events)), random.Random(1)
    async with ordeal(tmp_path, forge, speed=form.speed, faults=(SLOW,)) as stage, asyncio.TaskGroup() as group:
        load = Load(client, form.pace)
        submitting = group.create_task(load.run())
        for _ in range(form.kills):
            async with stage.gateway() as doomed:
                await load.goes_to(doomed)
                await time_to_die(stage, form, chance, submitting)
                doomed.kill()
                await doomed.exit_code()
                await load.goes_to(None)
        async with stage.gateway() as heir:
            await load.goes_to(heir)
            await submitting
            await all_ended(heir, form.events, within=120)
            await letters_become(heir, form.events // 10)
        verdict = judged(client, stage, await gathered(tmp_path))

    with capsys.disabled():
        print(f"\n{verdict}")  # noqa: T201 - the figures are what is asked for
    assert verdict.kills == form.kills
    assert verdict.accepted == form.events
