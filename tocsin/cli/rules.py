"""`tocsin rules`: check rules, and try them on recorded events. Neither needs a gateway, and nothing is sent."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from tocsin.cli import options, output, world
from tocsin.cli.failures import CommandFailed, Misused

if TYPE_CHECKING:
    from tocsin.runtime.trial import Message, Trial, TriedEvent, TriedRule

_STDIN = "-"
_SHOWN = 60

Demo = Annotated[
    bool, typer.Option("--demo", help="As `tocsin up --demo` has it: with all the channels that have a simulator.")
]
Folder = Annotated[
    Path | None,
    typer.Option("--rules", metavar="DIR", help="The folder of the rules; else rules.root.", show_default=False),
]


def check(
    ctx: typer.Context,
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The folder; else rules.root.", show_default=False)
    ] = None,
    *,
    demo: Demo = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Check rule files, and tell every mistake with its file and line. Exit code 2 if there is any.

    Templates and channels are those of the settings: a rule may name only what the gateway has.

    \b
    Examples:
      tocsin rules check
      tocsin rules check configs/rules --config /etc/tocsin/tocsin.toml
    """
    trial = _trial(ctx, folder, config, demo=demo)
    if as_json:
        rules = [{"name": rule.name, "file": rule.file, "line": rule.line} for rule in trial.rules]
        output.json({"ok": True, "folder": str(trial.folder), "rules": rules})
        return
    if not trial.rules:
        output.note(f"There are no rules in {trial.folder}: its files *.toml are looked at.")
        return
    table = output.table("RULE", "FILE", "LINE")
    for rule in trial.rules:
        table.add_row(output.plain(rule.name), output.plain(rule.file), str(rule.line))
    output.out().print(table)


def try_(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="Events: one, a JSON array, or one a line. - is standard input.")
    ],
    *,
    folder: Folder = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail for an event that no rule matches, too.")] = False,
    demo: Demo = False,
    config: options.Config = None,
    as_json: options.AsJson = False,
) -> None:
    """Show what rules would make of recorded events: what would be sent to whom, as it would read. Nothing is sent.

    Events are CloudEvents as JSON (structured mode). Addresses are shown. Exit code 1 if a rule that matches an event
    cannot use it, or if something is no event; 2 if the rules themselves are wrong.

    \b
    Examples:
      tocsin rules try events.jsonl
      tocsin rules try order.json --rules configs/rules --strict
      echo '{"specversion": "1.0", "id": "1", "source": "/shop", "type": "OrderPlaced", "data": {}}' \\
          | tocsin rules try -
      tocsin rules try events.json --json | jq '.events[].rules[].notification.recipient'
    """
    trial = _trial(ctx, folder, config, demo=demo)
    now = world.of(ctx).now()
    tried = [trial.event(document, now) for document in _events(file)]
    if as_json:
        output.json({"events": tried})
    else:
        for number, event in enumerate(tried, start=1):
            _tell(number, event)
    unusable = sum(bool(event.faults or any(_faulty(rule) for rule in event.rules)) for event in tried)
    unmatched = sum(not event.rules and not event.faults for event in tried)
    if unusable or (strict and unmatched):
        raise CommandFailed(_summary(len(tried), unusable, unmatched if strict else 0))


def _trial(ctx: typer.Context, folder: Path | None, config: str | None, *, demo: bool) -> "Trial":
    """Return the rules. Raises SettingsError with all that is wrong with them."""
    from tocsin.runtime import discover, gateway  # noqa: PLC0415 -- they load every service

    simulators = discover.simulators() if demo else []
    settings = gateway.settings_for(gateway.UpOptions(config=config), simulators, world.of(ctx).environ)
    open_trial = next((each.trial for each in discover.services() if each.trial is not None), None)
    if open_trial is None:
        raise CommandFailed("No service that is installed here has rules.")
    return open_trial(settings, folder)


def _events(file: str) -> Sequence[Any]:
    raw = _read(file)
    try:
        document = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return list(_lines(raw, file))
    except RecursionError:
        raise Misused(f"{file} is nested too deeply to be read") from None
    return document if isinstance(document, list) else [document]


def _lines(raw: bytes, file: str) -> Iterator[Any]:
    for number, line in enumerate(raw.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield msgspec.json.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise Misused(f"{file} is neither JSON nor JSON lines: line {number}: {error}") from None
        except RecursionError:
            raise Misused(f"{file} is nested too deeply to be read, in line {number}") from None


def _read(file: str) -> bytes:
    if file == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise Misused(f"{file} cannot be read: {error.strerror}") from None


def _tell(number: int, event: "TriedEvent") -> None:
    console = output.out()
    named = f"{event.type} {event.id} of {event.source}" if event.type else "is no event that can be read"
    console.print(output.plain(f"{number}. {named}"), style="bold", soft_wrap=True)
    for fault in event.faults:
        console.print(output.plain(f"   {fault.pointer or 'it'} {fault.detail}"), style="red", soft_wrap=True)
    if not event.rules and not event.faults:
        console.print("   no rule matches", style="dim")
    for rule in event.rules:
        _tell_rule(rule)


def _tell_rule(rule: "TriedRule") -> None:
    console = output.out()
    if rule.faults:
        console.print(output.plain(f"   {rule.rule}: cannot use it"), style="red")
        for fault in rule.faults:
            console.print(output.plain(f"     {fault.pointer or 'the notification'} {fault.detail}"), soft_wrap=True)
        return
    how = [str(rule.notification[name]) for name in ("template", "lane", "category") if name in rule.notification]
    console.print(output.plain(f"   {rule.rule}: {', '.join(how)}".rstrip(": ")), style="green", soft_wrap=True)
    for message in rule.messages:
        _tell_message(message)


def _tell_message(message: "Message") -> None:
    console = output.out()
    locale = f" ({message.locale})" if message.locale else ""
    address = output.address(message.address, most=_SHOWN)
    console.print(output.plain(f"     {message.channel} to {address}{locale}"), soft_wrap=True)
    if message.fault:
        console.print(output.plain(f"       {message.fault}"), style="red", soft_wrap=True)
    for part, text in message.parts.items():
        if part.endswith("html"):
            # Nobody reads it as it stands here.
            console.print(output.plain(f"       {part}: {len(text):,} characters, with --json"), style="dim")
            continue
        console.print(output.plain(f"       {part}"), style="dim", soft_wrap=True)
        for line in text.strip().splitlines():
            console.print(output.plain(f"         {line}"), soft_wrap=True)


def _faulty(rule: "TriedRule") -> bool:
    return bool(rule.faults) or any(message.fault for message in rule.messages)


def _summary(count: int, unusable: int, unmatched: int) -> str:
    told = [f"{unusable} cannot be used"] if unusable else []
    told += [f"{unmatched} are matched by no rule"] if unmatched else []
    return f"Of {count} events {' and '.join(told)}."
