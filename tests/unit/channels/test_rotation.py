"""Secrets that change in their files while messages are sent."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from channels.changes import RouteChanges
from channels.rotating import RotatingCarrier
from channels.rotation import Rotatable, Rotation
from channels.routes import Call, Closed, Routes
from tests.support.clock import ManualClock
from tests.support.delivering import make_delivery
from tests.support.scripted import ScriptedCarrier, ScriptedProvider
from tests.support.waiting import until
from tests.unit.channels.test_changes import Publisher
from tocsin import schemas
from tocsin.errors import SettingsError
from tocsin.lifecycle import Event
from tocsin.observe.metrics import Metrics
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome
from tocsin.settings.secret_files import FileWatch
from tocsin.validation import Schema


class Provider(ScriptedProvider):
    """A scripted provider that knows whether it was closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


@dataclass(kw_only=True)
class World:
    """A channel of two providers, `one` with a secret of its own; every carrier that was made of its files is kept."""

    folder: Path
    names: tuple[str, ...] = ("one", "two")
    clock: ManualClock = field(default_factory=ManualClock)
    publisher: Publisher = field(default_factory=Publisher)
    metrics: Metrics = field(default_factory=lambda: Metrics(version="test"))
    made: list[list[Provider]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.channel_file, self.one_file = self.folder / "channel", self.folder / "one"
        for each in (self.channel_file, self.one_file):
            each.write_text("first")
        watch = FileWatch({"ours.password_file": self.channel_file, "one.key_file": self.one_file})
        self.carrier = RotatingCarrier(self.make())
        self.changes = RouteChanges(publisher=self.publisher, clock=self.clock, metrics=self.metrics)
        self.routes = Routes(
            self.carrier.providers, clock=self.clock, random=lambda: 0.5, on_change=lambda _name, _condition: None
        )
        self.rotation = Rotation(clock=self.clock, changes=self.changes, metrics=self.metrics)
        rotatable = Rotatable(watch=watch, make=self.make, carrier=self.carrier, routes=self.routes)
        self.rotation.watch("ours", rotatable)

    def make(self) -> ScriptedCarrier:
        if "broken" in (self.channel_file.read_text(), self.one_file.read_text()):
            raise SettingsError("one.key_file: is no key")
        providers = [Provider(self.clock, name=name) for name in self.names]
        self.made.append(providers)
        return ScriptedCarrier(*providers)

    async def send(self, number: int = 0) -> Outcome:
        async def claim() -> None:
            return

        delivery = make_delivery("somebody", now=self.clock.now())
        deadline = asyncio.get_running_loop().time() + 10
        return await self.carrier.providers[number].send(delivery, key="k", deadline=deadline, claim=claim)

    def calls(self) -> list[int]:
        """Return how many calls the first provider of each carrier got."""
        return [len(providers[0].calls) for providers in self.made]


async def test_what_is_sent_after_a_change_goes_through_a_provider_with_the_new_secret(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    await world.send()
    world.channel_file.write_text("second")
    await world.rotation.look()
    await world.send()
    before = world.calls()
    await world.rotation.look()
    await world.send()

    assert (before, world.calls()) == ([2], [2, 1])
    assert [provider.closed for provider in world.made[0]] == [1, 1]
    assert [provider.closed for provider in world.made[1]] == [0, 0]


async def test_what_is_under_way_ends_where_it_began_and_its_provider_is_closed_then(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    old = world.made[0][0]
    old.hold = asyncio.Event()
    sending = asyncio.create_task(world.send())
    await until(lambda: old.calls, what="the call")
    world.channel_file.write_text("second")
    await world.rotation.look(at_once=True)
    await world.send()
    meanwhile = old.closed
    old.hold.set()
    outcome = await sending
    await world.rotation.look()

    assert isinstance(outcome, Delivered)
    assert (meanwhile, old.closed, world.calls()) == (0, 1, [1, 1])


async def test_a_secret_of_one_provider_leaves_the_others_alone(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.one_file.write_text("second")
    await world.rotation.look(at_once=True)
    await world.send(0)
    await world.send(1)

    assert [len(each.calls) for providers in world.made for each in providers] == [0, 1, 1, 0]
    assert [each.closed for providers in world.made for each in providers] == [1, 0, 0, 1]


async def test_a_file_that_is_of_no_use_changes_nothing_and_is_told_until_it_is_mended(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.one_file.write_text("broken")
    await world.rotation.look(at_once=True)
    await world.send()
    told, metric = world.rotation.refused("ours"), world.metrics.render()[0].decode()
    world.one_file.write_text("mended")
    await world.rotation.look(at_once=True)
    await world.send()

    assert world.calls() == [1, 1]
    assert told == "one.key_file: changed, and cannot be used (see the log); the old secrets hold"
    assert 'tocsin_secrets_refused{channel="ours"} 1.0' in metric
    assert world.rotation.refused("ours") == ""
    assert 'tocsin_secrets_refused{channel="ours"} 0.0' in world.metrics.render()[0].decode()


async def test_a_change_that_came_while_another_file_was_of_no_use_is_used_with_it(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.one_file.write_text("broken")
    await world.rotation.look(at_once=True)
    world.channel_file.write_text("second")
    await world.rotation.look(at_once=True)
    told = world.rotation.refused("ours")
    world.one_file.write_text("mended")
    await world.rotation.look(at_once=True)
    await world.send(1)

    assert told.startswith("one.key_file, ours.password_file: ")
    assert [len(providers[1].calls) for providers in world.made] == [0, 1]


async def test_a_route_that_wrong_secrets_closed_is_probed_as_soon_as_they_change(tmp_path: Path) -> None:
    world = World(folder=tmp_path, names=("one",))
    call = await world.routes.begin(["one"])
    assert isinstance(call, Call)
    world.routes.ended(call, Misconfigured(detail="the password is wrong"), claimed=False)
    closed = (world.routes.may_take(), await world.routes.begin(["one"]))
    world.one_file.write_text("right")
    await world.rotation.look(at_once=True)
    probe = (world.routes.may_take(), await world.routes.begin(["one"]))

    assert (closed[0], probe[0]) == (False, True)
    assert isinstance(closed[1], Closed)
    assert isinstance(probe[1], Call)


async def test_what_a_call_to_the_old_provider_comes_to_says_nothing_of_the_new_one(tmp_path: Path) -> None:
    world = World(folder=tmp_path, names=("one",))
    call = await world.routes.begin(["one"])
    assert isinstance(call, Call)
    world.one_file.write_text("right")
    await world.rotation.look(at_once=True)
    world.routes.ended(call, Misconfigured(detail="the password is wrong"), claimed=False)

    assert not world.routes.conditions["one"].misconfigured


async def test_a_route_that_was_closed_for_other_reasons_stays_so(tmp_path: Path) -> None:
    world = World(folder=tmp_path, names=("one",))
    for _ in range(20):
        call = await world.routes.begin(["one"])
        assert isinstance(call, Call)
        world.routes.ended(call, Deferred(cause="connection_refused"), claimed=False)
    world.one_file.write_text("second")
    await world.rotation.look(at_once=True)

    assert not world.routes.may_take()


async def test_a_rotation_is_an_audit_event_without_the_secret(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    world.one_file.write_text("second-secret")
    await world.rotation.look(at_once=True)
    world.changes.stop()
    await world.changes.run()
    [event] = world.publisher.events

    assert event.type is Event.ROUTE_SECRETS_ROTATED
    assert event.data == {"channel": "ours", "providers": ["one"], "settings": ["one.key_file"]}
    assert not Schema(schemas.document("audit-event")["$defs"][event.type]).faults(event.data)


async def test_the_loop_looks_every_two_seconds_until_it_is_stopped(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    running = asyncio.create_task(world.rotation.run())
    world.channel_file.write_text("second")
    for _ in range(2):
        await until(lambda: world.clock.next_due() is not None, what="the pause")
        world.clock.advance(timedelta(seconds=2))
    await until(lambda: len(world.made) == 2, what="the new carrier")
    world.rotation.stop()
    await asyncio.wait_for(running, timeout=5)


async def test_closing_closes_what_is_used_and_what_was_retired_once(tmp_path: Path) -> None:
    world = World(folder=tmp_path)
    old = world.made[0][0]
    old.hold = asyncio.Event()
    sending = asyncio.create_task(world.send())
    await until(lambda: old.calls, what="the call")
    world.channel_file.write_text("second")
    await world.rotation.look(at_once=True)
    old.hold.set()
    await sending
    await world.carrier.aclose()

    assert [each.closed for providers in world.made for each in providers] == [1, 1, 1, 1]
