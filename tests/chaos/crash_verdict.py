"""What must be true of what crashed gateways left behind, and the figures that are told of it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

from dlq.items import Payload
from tests.chaos.crash_client import Client
from tests.chaos.crash_evidence import Evidence, Life
from tests.chaos.crash_ordeal import IN_FLIGHT, ONCE, Ordeal
from tocsin import deadletter, hops
from tocsin.clock import from_rfc3339
from tocsin.deadletter import Reason
from tocsin.delivery import Delivery
from tocsin.lifecycle import AuditEvent, Event, state_after


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The figures. `unconfirmed` is what had been sent and not settled at the kills, which bounds the second sends."""

    accepted: int
    terminal: int
    lost: int
    kills: int
    unconfirmed: int
    second_sends: int
    stall: timedelta

    def __str__(self) -> str:
        stall = f"{self.stall.total_seconds():.2f} s"
        head = ("accepted", "terminal", "lost", "kills", "unconfirmed at a kill", "second sends", "longest stall")
        row = (self.accepted, self.terminal, self.lost, self.kills, self.unconfirmed, self.second_sends, stall)
        return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in (head, ["---"] * len(head), row))


def judged(client: Client, ordeal: Ordeal, evidence: Evidence, *, replayed: Collection[str] = ()) -> Verdict:
    """Hold what is left behind against the promises; return the figures. `replayed` are deliveries in a second life."""
    _accepted_once(client, evidence)
    deliveries = {each.id: each for each in evidence.deliveries()}
    expected = {(each, 0) for each in deliveries} | {(each, 1) for each in replayed}
    ends = _ends(evidence)
    lost = expected - ends.keys()
    assert not lost, f"{len(lost)} of {len(expected)} lives did not end: {sorted(lost)[:5]}"
    assert ends.keys() == expected, f"nobody asked for these lives: {sorted(ends.keys() - expected)[:5]}"
    for life, end in ends.items():
        _as_it_must(deliveries[life[0]], life, end)
    _stored(evidence, ends)
    _letters_exact(evidence, ends)
    _never_early(evidence)
    unconfirmed, second_sends = _sends(ordeal, evidence, deliveries, replayed)
    return Verdict(
        accepted=len(client.answers),
        terminal=len(ends),
        lost=len(lost),
        kills=len(ordeal.incarnations) - 1,
        unconfirmed=unconfirmed,
        second_sends=second_sends,
        stall=_stall(ordeal),
    )


def _accepted_once(client: Client, evidence: Evidence) -> None:
    """Every key was answered, and is one notification with one record of its first life."""
    assert not client.unanswered
    promised = {answer["id"] for answer in client.answers.values()}
    accepted = [event.notification_id for _, event in evidence.events if event.type is Event.ACCEPTED]
    assert len(promised) == len(client.given), "two keys were answered with one notification"
    assert sorted(map(str, accepted)) == sorted(promised), "accepted is not what was promised"
    firsts = Counter(
        each.notification_id
        for record, each in zip(evidence.records, evidence.deliveries(), strict=True)
        if hops.read(record.headers).life == 0
    )
    assert firsts == dict.fromkeys(promised, 1), "a notification is not one record"


def _ends(evidence: Evidence) -> dict[Life, AuditEvent]:
    """Return the end of each life, of which the log tells exactly once."""
    ends: dict[Life, AuditEvent] = {}
    for _, event in evidence.events:
        if (state := state_after(event.type)) is not None and state.terminal:
            assert event.delivery_id is not None
            assert event.life is not None
            assert (event.delivery_id, event.life) not in ends, f"a life ended twice: {event}"
            ends[event.delivery_id, event.life] = event
    return ends


def _as_it_must(delivery: Delivery, life: Life, end: AuditEvent) -> None:
    """What the mail server does to an address decides how its lives end. Only what may not be sent twice is in doubt
    after a crash, and then it ends dead."""
    kind = delivery.address.partition("+")[0]
    doubt = kind == ONCE and end.data.get("reason") == Reason.OUTCOME_UNKNOWN
    dead = (kind == "refused" and life[1] == 0) or doubt
    assert end.type is (Event.DEAD if dead else Event.DELIVERED), f"{kind} ended in {end}"


def _stored(evidence: Evidence, ends: dict[Life, AuditEvent]) -> None:
    """The store tells what the log tells: every event once, and the same ends."""
    assert sorted(evidence.stored_events) == sorted({event.id for _, event in evidence.events})
    assert evidence.stored_lives == {life: state_after(end.type) for life, end in ends.items()}


def _letters_exact(evidence: Evidence, ends: dict[Life, AuditEvent]) -> None:
    """Each death left one dead letter, byte for byte what was accepted, and the store has it as it is in the log."""
    accepted = {each.id: record for record, each in zip(evidence.records, evidence.deliveries(), strict=True)}
    told: dict[Life, Payload] = {}
    for letter in evidence.letters:
        life = deadletter.life_of(letter.headers)
        assert life is not None
        assert life not in told, f"two dead letters of one life: {life}"
        told[life] = Payload(key=letter.key, value=letter.value, headers=letter.headers)
        assert (letter.key, letter.value) == (accepted[life[0]].key, accepted[life[0]].value)
    assert told.keys() == {life for life, end in ends.items() if end.type is Event.DEAD}
    assert evidence.stored_letters == told


def _never_early(evidence: Evidence) -> None:
    """No attempt that followed a retry came before its time, whichever gateway made it."""
    due: dict[tuple[Life, int], str] = {}
    for _, event in evidence.events:
        if event.type is Event.RETRYING and event.attempt is not None:
            due[_life(event), event.attempt + 1] = event.data["not_before"]
    for _, event in evidence.events:
        if event.type is Event.ATTEMPTED and (not_before := due.get((_life(event), event.attempt or 0))):
            earliest = from_rfc3339(not_before)
            assert earliest is not None
            assert event.time >= earliest, f"{event} came before {not_before}"


def _life(event: AuditEvent) -> Life:
    return event.delivery_id or "", event.life or 0


def _sends(
    ordeal: Ordeal, evidence: Evidence, deliveries: dict[str, Delivery], replayed: Collection[str]
) -> tuple[int, int]:
    """Return how many sends were unconfirmed at the kills, and how many mails were sent a second time.

    A mail may come again only if no gateway had durably settled it when it died; no gateway sends one twice.
    """
    settled = [
        (at, deliveries[event.delivery_id].address)
        for at, event in evidence.events
        if event.type is Event.DELIVERED and event.delivery_id is not None
    ]
    confirmed: set[str] = set()
    unconfirmed = 0
    for incarnation in ordeal.incarnations:
        sent = incarnation.mailbox.by_recipient
        assert set(sent.values()) <= {1}, "one gateway sent a mail twice"
        assert not confirmed & sent.keys(), f"sent again, though confirmed: {sorted(confirmed & sent.keys())[:5]}"
        confirmed = {address for at, address in settled if at <= incarnation.died_at}
        in_doubt = len(sent.keys() - confirmed)
        assert in_doubt <= IN_FLIGHT
        unconfirmed += in_doubt
    total = sum((Counter(incarnation.mailbox.by_recipient) for incarnation in ordeal.incarnations), Counter[str]())
    opened_again = {deliveries[each].address for each in replayed}
    assert all(total[each] <= 1 for each in total.keys() - opened_again if each.startswith(ONCE))
    second_sends = total.total() - len(total)
    assert second_sends <= unconfirmed
    return unconfirmed, second_sends


def _stall(ordeal: Ordeal) -> timedelta:
    """Return the longest time between two mails that did not have to wait for a retry."""
    fresh = sorted(
        mail.at
        for incarnation in ordeal.incarnations
        for mail in incarnation.mailbox.newest()
        if not mail.recipients[0].startswith("greylist")
    )
    return max((after - before for before, after in pairwise(fresh)), default=timedelta())
