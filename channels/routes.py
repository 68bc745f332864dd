"""The providers of one channel: which one a delivery goes through, when it has to wait, and when none takes anything.

The limits lie above the workers: they are shared by all lanes, fresh and retried traffic. Nothing here runs by itself;
workers ask `may_take` all the time, and that is when time passes.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import inf

import msgspec

from channels.breaker import BreakerPolicy
from channels.provider import Provider
from channels.route import PATIENCE_SECONDS, Condition, Route, RouteState, Standing
from tocsin.clock import Clock
from tocsin.outcome import Outcome
from tocsin.receipts import Verdict

# A turn that has not come by then will be long in coming: the delivery is better parked.
_LONGEST_TURN_SECONDS = 10.0
_BUSY_SECONDS = 5.0
# A sleep may end this much too early, by the rounding of times.
_EARLY_SECONDS = 0.001
# Where no route takes anything and a record was let through that no route was due for.
_NEXT_TRY_SECONDS = 1.0


class Call(msgspec.Struct, frozen=True):
    """A provider call that has begun."""

    provider: str
    epoch: int
    began_at: float
    domain: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """No provider takes this delivery now. `wait_seconds`: one may after that."""

    wait_seconds: float
    why: str


class Routes:
    """All routes of a channel.

    The weights of the providers share the deliveries out among those that can take them; without any, the order of the
    candidates is the preference. `on_change` is told each change of a route's condition, at once; it must not wait.
    `random` returns numbers from 0 to 1.
    """

    def __init__(
        self,
        providers: Sequence[Provider],
        *,
        clock: Clock,
        random: Callable[[], float],
        on_change: Callable[[str, Condition], None],
        policy: BreakerPolicy | None = None,
    ) -> None:
        policy = policy or BreakerPolicy()
        self._routes = {each.name: Route(each.name, each.capabilities, policy=policy) for each in providers}
        self._all = tuple(self._routes.values())
        self._weighted = any(route.weight for route in self._all)
        self._clock = clock
        self._random = random
        self._on_change = on_change
        # While no route takes anything (`_shut`): whether a record was let through for a probe, and from when on the
        # next one may be.
        self._shut = False
        self._let_through = False
        self._next_try_at = 0.0
        # How many deliveries may be under way, as `has_room` has last found.
        self.room = inf

    @property
    def conditions(self) -> Mapping[str, Condition]:
        """The condition of each route, by provider."""
        return {route.name: route.condition for route in self._all}

    @property
    def shared(self) -> bool:
        """Whether several providers share the deliveries out by their weights."""
        return sum(route.weight > 0 for route in self._all) > 1

    @property
    def standings(self) -> Mapping[str, Standing]:
        """How well each of those did lately that have a share, by provider."""
        now = self._clock.monotonic()
        return {route.name: route.standing(now) for route in self._all if route.weight}

    def heard(self, verdict: Verdict) -> None:
        """Take note of what a receipt says of a provider; of one that is not here it says nothing."""
        if (route := self._routes.get(verdict.provider)) is not None:
            route.heard(arrived=verdict.arrived, now=self._clock.monotonic())

    def may_take(self) -> bool:
        """Return whether workers are to take anything: some route takes messages, or is due for a probe."""
        now = self._clock.monotonic()
        self._look(now)
        for route in self._all:
            if route.takes(now):
                return True
        return self._probe_is_due(now)

    def has_room(self, under_way: int) -> bool:
        """Return whether one more delivery may be started where `under_way` are: it would not have to wait for long."""
        now = self._clock.monotonic()
        room, soon, self._shut = 0.0, False, True
        for route in self._all:
            if route.takes(now):
                self._shut = False
                soon = soon or route.free(now) or route.wait(now) <= PATIENCE_SECONDS
                room += route.room
        # A probe is for one delivery, however many are under way.
        self.room = inf if self._shut else room
        return self._probe_is_due(now) if self._shut else soon and under_way < int(room)

    def started(self) -> None:
        """Take note that a delivery was started, for which `has_room` has just been true."""
        self._let_through = self._shut

    def left(self) -> None:
        """Take note that a delivery is done with. One that was let through for a probe may have had no use for it."""
        self._let_through = False

    def pick(self, candidates: Collection[str], *, avoid: Collection[str] = (), domain: str = "") -> str | Closed:
        """Return the provider that a delivery to `domain` is to go through, which may mean to wait for it a little."""
        now = self._clock.monotonic()
        routes = [self._routes[name] for name in candidates if name not in avoid]
        if len(routes) == 1 and (routes[0].free(now) or routes[0].wait(now, domain) <= PATIENCE_SECONDS):
            return routes[0].name
        if not routes:
            return Closed(wait_seconds=0.0, why="no other provider can take it")
        waits = [route.wait(now, domain) for route in routes]
        least = min(waits)
        if least > PATIENCE_SECONDS:
            return Closed(wait_seconds=least, why=routes[waits.index(least)].condition.why)
        bound = 0.0 if least == 0.0 else PATIENCE_SECONDS
        return self._chosen([route for route, wait in zip(routes, waits, strict=True) if wait <= bound], now).name

    async def begin(
        self, candidates: Collection[str], *, domain: str = "", urgent: bool = False, spared: bool = False
    ) -> Call | Closed:
        """Begin a call through one of the candidates, as soon as it has room and a token; or say that none has soon.

        A call is to be ended with `ended`, whatever becomes of it. What is `spared` probes no closed route while others
        do.
        """
        self._let_through = False
        while True:
            picked = self.pick(self._sparing(candidates) if spared else candidates, domain=domain)
            if isinstance(picked, Closed):
                self._next_try_at = self._clock.monotonic() + _NEXT_TRY_SECONDS
                return picked
            route = self._routes[picked]
            if not route.turns.enter():
                until = self._clock.monotonic() + _LONGEST_TURN_SECONDS
                if not await route.turns.wait(until=until, urgent=urgent):
                    if route.bars(self._clock.monotonic(), domain):
                        continue
                    return Closed(wait_seconds=_BUSY_SECONDS, why="it is busy")
            now = self._clock.monotonic()
            # Only after the wait for a turn: `pick` has just seen that nothing bars it. Else this would never end.
            if route.bars(now, domain):
                route.turns.leave()
            elif not (pause := route.take_token(now, domain)) or await self._paused(route, pause, domain):
                return self._began(route, domain)

    def begin_now(self, candidates: Collection[str], *, avoid: Collection[str], domain: str = "") -> Call | None:
        """Begin a call through another candidate if one can take it this very moment."""
        now = self._clock.monotonic()
        ready = [name for name in candidates if name not in avoid and self._routes[name].wait(now, domain) == 0.0]
        if not ready:
            return None
        route = self._routes[self._chosen([self._routes[name] for name in ready], now).name]
        if not route.turns.enter():
            return None
        route.take_token(now, domain)
        return self._began(route, domain)

    def ended(self, call: Call, outcome: Outcome | None, *, claimed: bool) -> None:
        """End a call. `outcome` is None where it came to nothing that says anything of the provider."""
        route, now = self._routes[call.provider], self._clock.monotonic()
        try:
            if outcome is not None:
                route.ended(call.epoch, outcome, claimed=claimed, began_at=call.began_at, now=now, domain=call.domain)
                self._look_at(route, now)
        finally:
            route.turns.leave()

    def renew(self, names: Iterable[str]) -> None:
        """Take note that these providers were made anew: what their secrets had closed is probed at once."""
        now = self._clock.monotonic()
        self._next_try_at = now
        for name in names:
            self._routes[name].renew(now)

    def _sparing(self, candidates: Collection[str]) -> Collection[str]:
        now = self._clock.monotonic()
        return [name for name in candidates if not self._routes[name].spares(now)]

    async def _paused(self, route: Route, pause: float, domain: str) -> bool:
        """Wait until a token may be used, with the turn held; return whether the route still takes anything then."""
        going = False
        try:
            await self._clock.sleep(timedelta(seconds=pause))
            going = route.closed_for(self._clock.monotonic(), domain) <= _EARLY_SECONDS
        finally:
            if not going:
                route.turns.leave()
        return going

    def _began(self, route: Route, domain: str) -> Call:
        now = self._clock.monotonic()
        epoch = route.began(now, domain)
        self._look_at(route, now)
        return Call(route.name, epoch, now, domain)

    def _chosen(self, routes: Sequence[Route], now: float) -> Route:
        if not self._weighted or len(routes) == 1:
            return routes[0]
        shares = [route.weight * route.health(now) for route in routes]
        total = sum(shares)
        if not total:
            return routes[0]
        point = self._random() * total
        for route, share in zip(routes, shares, strict=True):
            point -= share
            if point < 0:
                return route
        return routes[shares.index(max(shares))]

    def _probe_is_due(self, now: float) -> bool:
        if self._let_through or now < self._next_try_at:
            return False
        return any(not route.closed_for(now) for route in self._all)

    def _look(self, now: float) -> None:
        for route in self._all:
            if route.turns.waiting:
                route.turns.expire(now)
            if route.condition.state is not RouteState.OPEN:
                self._look_at(route, now)

    def _look_at(self, route: Route, now: float) -> None:
        if route.look(now):
            if route.condition.state is not RouteState.OPEN:
                route.turns.dismiss()
            self._on_change(route.name, route.condition)


def domain_of(address: str) -> str:
    """Return the part of an address that may be throttled apart: a mailbox's domain, a URL's host, else all of it."""
    _, is_url, rest = address.partition("://")
    return rest.partition("/")[0] if is_url else address.rpartition("@")[2]


def closed(conditions: Mapping[str, Condition]) -> Iterator[str]:
    """Return a line for each route that does not take messages as it should."""
    for name, condition in conditions.items():
        if condition.state is not RouteState.OPEN:
            yield f"{name} is {condition.state}: {condition.why}"
