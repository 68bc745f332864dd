"""What `tocsin up --demo` shows by itself: notifications on every channel, and what became of them.

It uses the API as any client would, from a thread of its own, so that the gateway's loop serves it like anybody else.
"""

import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

import msgspec
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from tocsin.cli import acts, follow, output
from tocsin.cli.access import Access
from tocsin.cli.failures import Refused, Unanswered, Unreachable
from tocsin.cli.story import story
from tocsin.cli.world import World

if TYPE_CHECKING:
    from tocsin.cli.client import Gateway
    from tocsin.runtime.gateway import Started

_LONGEST_SECONDS = 60.0
# What a channel is shown with. Where there is no such simulator, it is not shown.
_SIMULATORS = {"email": "smtp", "sms": "twilio", "push": "fcm", "browser": "webpush"}


def begin(started: "Started", world: World) -> None:
    """Show it, beside the gateway. Does nothing where there is no key to use."""
    if started.key is not None:
        access = Access(url=started.url, key=started.key, key_source="the demo's key")
        threading.Thread(target=show, args=(access, started, world), name="tocsin-tour", daemon=True).start()


def show(access: Access, started: "Started", world: World) -> None:
    """Submit the acts that the enabled channels allow, one after the other, and tell what became of each."""
    from tocsin.cli.client import Gateway  # noqa: PLC0415 -- as everywhere in the CLI, only where it is needed

    shown = {name for name in started.channels if _SIMULATORS.get(name) in started.simulators}
    try:
        subscription = _subscription(started.simulators[_SIMULATORS["browser"]], world) if "browser" in shown else None
        with Gateway(access, transport=world.transport) as gateway:
            found = acts.acts(world.token()[:6], channels=shown, subscription=subscription)
            for number, act in enumerate(found, start=1):
                _show_act(number, act, gateway, world)
    except (Refused, Unreachable, Unanswered) as error:
        output.note(f"The demo stopped: {error}")
    else:
        output.out().print(_closing(started), soft_wrap=True)


def _show_act(number: int, act: acts.Act, gateway: "Gateway", world: World) -> None:
    if act.rest_seconds:
        world.sleep(act.rest_seconds)
    answer = gateway.post("notifications", body=msgspec.json.encode(act.document))
    looks = follow.looks(gateway, answer.document["id"], world=world, seconds=_LONGEST_SECONDS, just_sent=True)
    last = None
    for last in looks:  # noqa: B007 -- the last look is the whole story
        pass
    if last is not None:
        output.out().print(story(f"{number}. {act.title}", last.document))


def _subscription(page: str, world: World) -> Mapping[str, Any]:
    """Return the subscription of a browser that the simulator of a push service makes. Raises Unreachable."""
    import httpx  # noqa: PLC0415 -- as the client

    try:
        with httpx.Client(transport=world.transport, trust_env=False) as client:
            answer = client.post(urljoin(page, "subscriptions")).raise_for_status()
    except httpx.HTTPError as error:
        raise Unreachable(f"the simulator at {page} made no subscription ({type(error).__name__})") from error
    made: Mapping[str, Any] = msgspec.json.decode(answer.content)
    return {"endpoint": made["endpoint"], "keys": made["keys"]}


def _closing(started: "Started") -> Group:
    key = f" --key-file {started.key_file}" if started.key_file else ""
    commands = (
        f"tocsin send{key} --to you@example.test --subject Hello --text 'It works.' --wait",
        f"tocsin dlq list{key}",
        f"tocsin suppressions list{key}",
    )
    lines = [Text(f"  .venv/bin/{command}") for command in commands]
    return Group(Text("\nThe gateway stays up. In another terminal:", style="bold"), *lines, *_pages(started), Text())


def _pages(started: "Started") -> Iterator[RenderableType]:
    """Return where to see what the simulators received, each named."""
    from tocsin.runtime import discover  # noqa: PLC0415 -- it loads the simulators

    if not started.simulators:
        return
    shows = {each.name: each.shows for each in discover.simulators()}
    pages = sorted((shows.get(name, ""), page) for name, page in started.simulators.items())
    index = urljoin(pages[0][1], "/")
    yield Text(f"\nWhat was received: {index}", style="bold")
    yield Padding(output.facts(*pages), (0, 0, 0, 2), expand=False)
