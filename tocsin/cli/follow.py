"""Follows a notification until all of its deliveries have ended.

The one place where the client asks again: the audit is a moment behind the submit, and a gateway may be restarted
while somebody watches; neither is a reason to stop looking.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live

from tocsin.cli import output, timeline
from tocsin.cli.failures import Refused, Unreachable
from tocsin.cli.world import World

if TYPE_CHECKING:
    from tocsin.cli.client import Answer, Gateway

_QUICK, _QUICK_FOR = 0.25, 10.0
_SLOW = 1.0
# How long the gateway may give no answer that helps: the audit catches up, or a restart ends, well within it.
_PATIENCE = 30.0
_MISSING, _AWAY = 404, 503


def watch(
    gateway: "Gateway",
    notification_id: str,
    *,
    world: World,
    as_json: bool,
    seconds: float | None = None,
    just_sent: bool = False,
) -> Mapping[str, Any] | None:
    """Show a notification until it has ended or `seconds` are over: live for people, once at the end as JSON.

    Returns what was seen last, None if it never came to sight. Raises Refused, Unreachable.
    """
    seen = looks(gateway, notification_id, world=world, seconds=seconds, just_sent=just_sent)
    last = _silent(seen) if as_json else _shown(seen, console=output.out(), world=world)
    if last is not None and as_json:
        output.raw_json(last.raw)
    return None if last is None else last.document


def looks(
    gateway: "Gateway", notification_id: str, *, world: World, seconds: float | None, just_sent: bool
) -> Iterator["Answer"]:
    """Yield what is known, again and again, until it has ended or `seconds` are over.

    `just_sent`: it is surely there, even if the audit is not there yet. Raises Refused, Unreachable.
    """
    started = heard = world.monotonic()
    patient = just_sent
    while True:
        try:
            answer = gateway.get("notifications", notification_id)
        except (Refused, Unreachable) as error:
            if not (patient and _passing(error, just_sent=just_sent)) or world.monotonic() - heard > _PATIENCE:
                raise
        else:
            heard, patient = world.monotonic(), True
            yield answer
            if timeline.ended(answer.document):
                return
        waited = world.monotonic() - started
        if seconds is not None and waited >= seconds:
            return
        pause = _QUICK if waited < _QUICK_FOR else _SLOW
        world.sleep(pause if seconds is None else min(pause, seconds - waited))


def _passing(error: Refused | Unreachable, *, just_sent: bool) -> bool:
    """Return whether it may be different in a moment."""
    if isinstance(error, Unreachable):
        return True
    return error.status == _AWAY or (error.status == _MISSING and just_sent)


def _silent(seen: Iterator["Answer"]) -> "Answer | None":
    last = None
    for last in seen:  # noqa: B007 -- the last one is what is wanted
        pass
    return last


def _shown(seen: Iterator["Answer"], *, console: Console, world: World) -> "Answer | None":
    """Show each look: in place on a terminal, elsewhere a line an event."""
    return _live(seen, console, world) if console.is_terminal else _lines(seen, console)


def _live(seen: Iterator["Answer"], console: Console, world: World) -> "Answer | None":
    last = None
    with Live(console=console, auto_refresh=False) as live:
        for last in seen:
            live.update(timeline.tree(last.document, now=world.now()), refresh=True)
    return last


def _lines(seen: Iterator["Answer"], console: Console) -> "Answer | None":
    last, told = None, set[str]()
    for last in seen:
        for event_id, line in timeline.lines(last.document):
            if event_id not in told:
                told.add(event_id)
                console.print(line, soft_wrap=True)
    return last
