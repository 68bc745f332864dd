"""What must be true after an ordeal of the gateway's processes, and the figures that are told of it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import msgspec
from sqlalchemy import select

from audit.tables import deliveries, events, lives
from dlq.items import dead_letters
from simulators.smtp.mailbox import Mailbox
from tests.chaos.kafka_client import Client, kind_of
from tests.chaos.kafka_stage import ONCE, Stage
from tests.support.postgres import connected
from tocsin.deadletter import Reason
from tocsin.lifecycle import Event, State, state_after

HEAD = (
    "scenario",
    "accepted",
    "terminal",
    "lost",
    "second sends (at most)",
    "503 or no answer",
    "longest submit",
    "longest stall",
)
_LETTERS_SECONDS, _PAUSE_SECONDS = 90, 0.2
Life = tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a life ended."""

    type: Event
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What the store tells of one run, by delivery: its address, its notification, its ends, its dead letters."""

    addresses: Mapping[str, str]
    notifications: Mapping[str, str]
    ends: Mapping[Life, Sequence[End]]
    states: Mapping[Life, State]
    letters: Counter[Life]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The figures. `allowed` bounds the second sends: what could be in flight when something was torn away."""

    name: str
    accepted: int
    terminal: int
    second_sends: int
    allowed: int
    repeats: int
    longest: timedelta
    stall: timedelta

    @property
    def row(self) -> tuple[str, ...]:
        """The figures as a row below `HEAD`."""
        return (
            self.name,
            f"{self.accepted:,}",
            f"{self.terminal:,}",
            str(self.accepted - self.terminal),
            f"{self.second_sends} ({self.allowed})",
            str(self.repeats),
            f"{self.longest.total_seconds():.1f} s",
            f"{self.stall.total_seconds():.1f} s",
        )


def table(rows: Sequence[tuple[str, ...]]) -> str:
    """Return rows below the head."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (HEAD, ("---",) * len(HEAD), *rows))


async def letters_arrived(client: Client, stage: Stage) -> None:
    """Return once each death is among the dead letters, which come a way of their own."""
    async with asyncio.timeout(_LETTERS_SECONDS):
        while True:
            evidence = await _gathered(client, stage)
            if evidence.letters.keys() >= {life for life, state in evidence.states.items() if state is State.DEAD}:
                return
            await asyncio.sleep(_PAUSE_SECONDS)


async def judged(name: str, client: Client, stage: Stage, mailbox: Mailbox, *, allowed: int) -> Verdict:
    """Hold what is left behind against the promises; return the figures."""
    evidence = await _gathered(client, stage)
    promised = set(client.answers.values())
    assert len(promised) == client.count, "two keys were answered with one notification"
    told = sorted(evidence.notifications.values())
    assert told == sorted(promised), "not one delivery for each notification that was accepted, and no other"
    expected = {(each, 0) for each in evidence.addresses}
    terminal = {life for life in expected if evidence.ends.get(life)}
    lost = {evidence.addresses[life[0]] for life in expected - terminal}
    assert not lost, f"{len(lost)} of {len(expected)} lives did not end: {sorted(lost)[:5]}"
    _ended_once(evidence, expected)
    return Verdict(
        name=name,
        accepted=len(promised),
        terminal=len(terminal),
        second_sends=_second_sends(evidence, mailbox, allowed),
        allowed=allowed,
        repeats=client.refused + client.unanswered,
        longest=client.longest,
        stall=stall(mailbox),
    )


def stall(mailbox: Mailbox) -> timedelta:
    """Return the longest time between two mails that did not have to wait for a retry."""
    fresh = sorted(mail.at for mail in mailbox.newest() if kind_of(mail.recipients[0]) != "greylist")
    return max((after - before for before, after in pairwise(fresh)), default=timedelta())


async def _gathered(client: Client, stage: Stage) -> Evidence:
    of_run = deliveries.c.address.like(f"%+{client.run}.%")
    own = select(deliveries.c.id).where(of_run)
    async with connected(stage.database.url) as store:
        found = (await store.execute(select(deliveries).where(of_run))).all()
        told = (await store.execute(select(events).where(events.c.delivery_id.in_(own)))).all()
        lived = (await store.execute(select(lives).where(lives.c.delivery_id.in_(own)))).all()
        died = await store.execute(
            select(dead_letters.c.delivery_id, dead_letters.c.life).where(dead_letters.c.delivery_id.in_(own))
        )
        letters = Counter((row.delivery_id, row.life) for row in died)
    ends: dict[Life, list[End]] = {}
    for row in told:
        state = state_after(event := Event(row.type))
        if state is not None and state.terminal:
            reason = msgspec.json.decode(row.data).get("reason")
            ends.setdefault((row.delivery_id, row.life), []).append(End(type=event, reason=reason))
    return Evidence(
        addresses={row.id: row.address for row in found},
        notifications={row.id: row.notification_id for row in found},
        ends=ends,
        states={(row.delivery_id, row.life): State(row.state) for row in lived},
        letters=letters,
    )


def _ended_once(evidence: Evidence, expected: set[Life]) -> None:
    """Each life ended once and as it must, and left a dead letter if it died."""
    assert evidence.ends.keys() == expected, "nobody asked for another life"
    dead = set()
    for life, told in evidence.ends.items():
        assert len(told) == 1, f"a life ended more than once: {evidence.addresses[life[0]]}: {told}"
        [end] = told
        kind = kind_of(evidence.addresses[life[0]])
        # Only what may not be sent twice is in doubt after a crash.
        died = kind == "refused" or (kind == ONCE and end.reason == Reason.OUTCOME_UNKNOWN)
        assert end.type is (Event.DEAD if died else Event.DELIVERED), f"{kind} ended in {end}"
        assert evidence.states[life] is state_after(end.type)
        if died:
            dead.add(life)
    assert evidence.letters == Counter(dead), "not one letter for each death"


def _second_sends(evidence: Evidence, mailbox: Mailbox, allowed: int) -> int:
    """Return how many mails came a second time. What was told to be delivered came."""
    sent = mailbox.by_recipient
    delivered = {evidence.addresses[life[0]] for life, state in evidence.states.items() if state is State.DELIVERED}
    assert delivered <= sent.keys(), f"delivered, and never sent: {sorted(delivered - sent.keys())[:5]}"
    doubled = {address for address, times in sent.items() if times > 1}
    once = {address for address in doubled if kind_of(address) == ONCE}
    assert not once, f"sent twice, though at most once was asked for: {sorted(once)[:5]}"
    second_sends = sum(sent.values()) - len(sent)
    assert second_sends <= allowed, f"{second_sends} second sends, of {sorted(doubled)[:5]}"
    return second_sends
