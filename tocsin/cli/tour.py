"""What `tocsin up --demo` shows by itself: three notifications, and what became of them.

It uses the API as any client would, from a thread of its own, so that the gateway's loop serves it like anybody else.
"""

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from rich.text import Text

from tocsin.cli import follow, output, timeline
from tocsin.cli.access import Access
from tocsin.cli.failures import Refused, Unanswered, Unreachable
from tocsin.cli.world import World

if TYPE_CHECKING:
    from tocsin.cli.client import Gateway
    from tocsin.runtime.gateway import Started

_LONGEST_SECONDS = 60.0
_ACTS = (
    ("ada@example.test", "en", "An ordinary one: it is delivered."),
    ("greylist@example.test", "de", "To a server that wants it twice: it is retried after 5 s, then delivered."),
    ("refused@example.test", "en", "To an address that does not exist: it becomes a dead letter."),
)


def begin(started: "Started", world: World) -> None:
    """Show it, beside the gateway. Does nothing where there is no key to use."""
    if started.key is not None:
        access = Access(url=started.url, key=started.key, key_source="the demo's key")
        threading.Thread(target=_show, args=(access, started, world), name="tocsin-tour", daemon=True).start()


def _show(access: Access, started: "Started", world: World) -> None:
    from tocsin.cli.client import Gateway  # noqa: PLC0415 -- as everywhere in the CLI, only where it is needed

    try:
        with Gateway(access, transport=world.transport) as gateway:
            for address, locale, about in _ACTS:
                output.out().print(Text(f"\n{about}", style="bold"))
                _act(gateway, address, locale, world)
    except (Refused, Unreachable, Unanswered) as error:
        output.note(f"The demo stopped: {error}")
    else:
        output.out().print(_closing(started))


def _act(gateway: "Gateway", address: str, locale: str, world: World) -> None:
    document = _notification(address, locale)
    answer = gateway.post("notifications", body=msgspec.json.encode(document))
    looks = follow.looks(gateway, answer.document["id"], world=world, seconds=_LONGEST_SECONDS, just_sent=True)
    last = None
    for last in looks:  # noqa: B007 -- the last look is the whole story
        pass
    if last is not None:
        output.out().print(timeline.tree(last.document, now=world.now()))


def _notification(address: str, locale: str) -> Mapping[str, Any]:
    return {
        "recipient": {"id": address.partition("@")[0], "email": address, "locale": locale},
        "channels": ["email"],
        "template": "order-confirmation",
        "data": {"order": "1001", "items": [{"name": "keyboard", "quantity": 1}, {"name": "mouse", "quantity": 2}]},
        "category": "orders",
        "metadata": {"order_id": "1001"},
    }


def _closing(started: "Started") -> Text:
    lines = ["\nThe gateway stays up. In another terminal:"]
    key = f" --key-file {started.key_file}" if started.key_file else ""
    lines += [
        f"  .venv/bin/tocsin send{key} --to you@example.test --subject Hello --text 'It works.' --wait",
        f"  .venv/bin/tocsin dlq list{key}",
    ]
    lines += [f"or look at the mails that the simulator received: {page}" for page in started.simulators.values()]
    return Text("\n".join(lines) + "\n")
