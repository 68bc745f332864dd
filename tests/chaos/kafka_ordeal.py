"""What is done to the gateway's processes, and to what they stand on, while a client goes on submitting."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal

from simulators.smtp.mailbox import Mailbox
from tests.chaos.kafka_client import Client
from tests.chaos.kafka_stage import IN_FLIGHT, Service, Stage
from tests.chaos.kafka_verdict import Verdict, judged, letters_arrived
from tests.support.tcp_proxy import Streams, TcpProxy, proxying
from tests.support.waiting import until
from tocsin.runtime.clock import SystemClock

_RESTART_SECONDS = 60
_END_SECONDS = 180
# Notifications a second.
_RATE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """The ways from Tocsin to what it stands on, and the settings that make it take them."""

    kafka: TcpProxy
    postgres: TcpProxy
    environment: dict[str, str]


@dataclass(slots=True, kw_only=True)
class Scene:
    """An ordeal under way. `allowed` is how many second sends it excuses so far."""

    stage: Stage
    channel: Service
    mailbox: Mailbox
    smtp_port: int
    ways: Ways | None
    load: asyncio.Task[None]
    chance: random.Random = field(default_factory=lambda: random.Random(1))
    allowed: int = 0

    async def moment(self, least: float, most: float) -> bool:
        """Let a random time pass under load (seconds); return whether the load goes on."""
        await asyncio.wait([self.load], timeout=self.chance.uniform(least, most))
        return not self.load.done()

    async def flowing(self) -> None:
        """Return once mails come again, or the load is over and nothing may be left."""
        before = self.mailbox.total
        await until(
            lambda: self.mailbox.total > before + 5 or self.load.done(), what="mails to come", seconds=_RESTART_SECONDS
        )


Trouble = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordeal:
    """A trouble, under a load of so many seconds, with so many brokers; `proxied`: by ways that can be made bad."""

    trouble: Trouble
    seconds: float
    brokers: int = 1
    proxied: bool = False


async def endured(name: str, stage: Stage, ordeal: Ordeal) -> Verdict:
    """Run the gateway under load, give it this trouble, let everything end, and judge what is left behind."""
    async with AsyncExitStack() as stack:
        mailbox, smtp_port = await stack.enter_async_context(stage.mail_server())
        ways = await stack.enter_async_context(_proxied(stage)) if ordeal.proxied else None
        environment = ways.environment if ways is not None else {}
        async with stage.gateway(smtp_port, **environment) as (http, channel), asyncio.TaskGroup() as group:
            run = f"r{int(SystemClock().now().timestamp() * 1000)}"
            client = Client(http=http, run=run, count=int(ordeal.seconds * _RATE), rate=_RATE)
            load = group.create_task(client.submit())
            scene = Scene(stage=stage, channel=channel, mailbox=mailbox, smtp_port=smtp_port, ways=ways, load=load)
            await scene.flowing()
            await ordeal.trouble(scene)
            await load
            await client.ended(within=_END_SECONDS)
            await letters_arrived(client, stage)
        return await judged(name, client, stage, mailbox, allowed=scene.allowed)


def in_turn(*troubles: Trouble) -> Trouble:
    """Have one trouble after the other."""

    async def trouble(scene: Scene) -> None:
        for each in troubles:
            await each(scene)

    return trouble


def workers_killed(times: int, *, least: float, most: float) -> Trouble:
    """Kill one of the channel's processes, again and again; it is started anew by the one that keeps them."""

    async def trouble(scene: Scene) -> None:
        for _ in range(times):
            await scene.moment(least, most)
            before = scene.channel.workers()
            killed = scene.chance.choice(before)
            os.kill(killed, signal.SIGKILL)
            # What it had under way may have been sent, and nobody knows.
            scene.allowed += IN_FLIGHT
            await _others(scene.channel, killed, len(before))
        assert '"event":"process_ended"' in scene.channel.said.read_text(), "nobody was told"

    return trouble


async def _others(channel: Service, dead: int, count: int) -> None:
    """Return once another process is in the place of one that is dead."""

    def complete() -> bool:
        found = channel.workers()
        return dead not in found and len(found) == count

    await until(complete, what="the process to be started anew", seconds=_RESTART_SECONDS)


def brokers_killed(times: int, *, least: float, most: float, outage: float) -> Trouble:
    """Kill the brokers in turn; each comes back on its data after an outage (seconds) before the next one dies."""

    async def trouble(scene: Scene) -> None:
        cluster = scene.stage.cluster
        for turn in range(times):
            node = cluster.nodes[turn % len(cluster.nodes)]
            await scene.moment(least, most)
            cluster.stop(node, hard=True)
            await scene.moment(outage / 2, outage)
            cluster.start(node)
            await scene.stage.by_hand(cluster.ready)
            await scene.flowing()

    return trouble


def database_crashed(times: int, *, least: float, most: float, outage: float) -> Trouble:
    """Crash PostgreSQL, which comes back after an outage (seconds)."""

    async def trouble(scene: Scene) -> None:
        database = scene.stage.database
        for _ in range(times):
            await scene.moment(least, most)
            await scene.stage.by_hand(database.crash)
            await scene.moment(outage / 2, outage)
            await scene.stage.by_hand(database.start)
            await scene.flowing()

    return trouble


def storm(rounds: int, *, pace: float) -> Trouble:
    """Have other processes of the channel join and leave, one after the other, so that partitions hardly rest."""

    async def trouble(scene: Scene) -> None:
        smtp = {"TOCSIN__EMAIL__PORT": str(scene.smtp_port)}
        for _ in range(rounds):
            async with scene.stage.running("channel", "email", **smtp) as guest:
                await scene.moment(0, pace)
                await guest.drained()

    return trouble


@asynccontextmanager
async def _proxied(stage: Stage) -> AsyncIterator[Ways]:
    """Put a proxy before the broker, and one before PostgreSQL."""
    [node] = stage.cluster.nodes

    async def to_kafka() -> Streams:
        return await asyncio.open_connection("127.0.0.1", node.behind)

    async def to_postgres() -> Streams:
        return await asyncio.open_unix_connection(str(stage.database.socket / ".s.PGSQL.5432"))

    async with AsyncExitStack() as stack:
        kafka, port = await stack.enter_async_context(proxying(to_kafka, port=node.proxy))
        postgres, database_port = await stack.enter_async_context(proxying(to_postgres))
        yield Ways(
            kafka=kafka,
            postgres=postgres,
            environment={
                "TOCSIN__KAFKA__BOOTSTRAP_SERVERS": f"127.0.0.1:{port}",
                "TOCSIN__STORE__URL": f"postgresql://tocsin@127.0.0.1:{database_port}/postgres?sslmode=disable",
            },
        )


def network_bad(*names: Literal["kafka", "postgres"], rest: float, silence: float, rounds: int = 1) -> Trouble:
    """On each of these ways: reset connections, cut new ones in the middle of a message, be slow, then silent.

    With rests in between (seconds)."""

    async def trouble(scene: Scene) -> None:
        assert scene.ways is not None
        for _ in range(rounds):
            for way in [getattr(scene.ways, name) for name in names]:
                way.reset()
                await scene.moment(rest / 2, rest)

                way.cut_after = scene.chance.randint(500, 5_000)
                await _cuts(way, 5)
                way.cut_after = None
                way.reset()
                await scene.flowing()

                way.latency = 0.05
                await scene.moment(rest / 2, rest)
                way.latency = 0.0

                way.silent = True
                await scene.moment(silence, silence)
                way.silent = False
                await scene.flowing()

    return trouble


async def _cuts(way: TcpProxy, count: int) -> None:
    """Return once so many connections were cut."""
    enough = way.cuts + count
    way.reset()  # so that there are new ones
    await until(lambda: way.cuts >= enough, what="connections to be cut", seconds=_RESTART_SECONDS)
