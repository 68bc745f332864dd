"""The entry point of `tocsin`: which commands there are, and how their failures end.

Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 no gateway there.
"""

from collections.abc import Callable, Mapping
from typing import Any

import typer
from typer.core import TyperGroup

from tocsin.cli import (
    backup,
    config,
    dlq,
    failures,
    keys,
    lag,
    migrate,
    output,
    rules,
    run,
    send,
    simulate,
    sms,
    status,
    suppressions,
    topics,
    up,
    vapid,
    version,
)
from tocsin.cli.world import World
from tocsin.errors import TocsinError


class Guarded(TyperGroup):
    """The commands, with every error that was foreseen told in words instead of a traceback."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See Typer. Bytes that are no text could be sent nowhere, so they are refused here, for all commands."""
        for number, argument in enumerate(args, start=1):
            if not _is_text(argument):
                raise typer.BadParameter(f"argument {number} is not UTF-8 text")
        return super().parse_args(ctx, args)

    def invoke(self, ctx: Any) -> Any:
        """See Typer."""
        try:
            return super().invoke(ctx)
        except TocsinError as error:
            output.error(str(error))
            raise typer.Exit(failures.exit_code(error)) from error


def _is_text(argument: str) -> bool:
    return not any("\udc80" <= character <= "\udcff" for character in argument)


def build() -> typer.Typer:
    """Return the command line."""
    app = typer.Typer(name="tocsin", cls=Guarded, callback=_start, **_style())
    app.command("up")(up.up)
    app.command("run")(run.run)
    app.command("migrate")(migrate.migrate)
    app.command("simulate")(simulate.simulate)
    app.command("send", cls=send.WaitsOptionally)(send.send)
    app.command("status")(status.status)
    for name, group in _groups().items():
        app.add_typer(group, name=name)
    app.command("lag")(lag.lag)
    app.command("backup")(backup.backup)
    app.command("restore")(backup.restore)
    app.command("version")(version.version)
    return app


def main() -> None:
    """Run the command line."""
    build()()


def _start(ctx: typer.Context) -> None:
    """Tocsin delivers notifications: submit them, follow them, and mend what failed.

    \b
    Try it, in two terminals:
      tocsin up --demo
      tocsin send --to ada@example.com --subject Hi --text 'How are you?' \\
          --wait --key-file data/demo.key

    \b
    Exit codes: 0 done, 1 refused or failed, 2 usage or settings, 3 no gateway.
    """
    ctx.obj = ctx.obj or World()


def _style() -> dict[str, Any]:
    # A traceback with local variables in it could show a key.
    return {"no_args_is_help": True, "rich_markup_mode": "rich", "pretty_exceptions_enable": False}


def _groups() -> Mapping[str, typer.Typer]:
    return {
        "dlq": _group(
            "Work with dead letters: what could not be delivered.",
            {"list": dlq.list_, "show": dlq.show, "replay": dlq.replay, "discard": dlq.discard},
        ),
        "suppressions": _group(
            "Work with suppressed addresses: what nothing is sent to.",
            {"list": suppressions.list_, "add": suppressions.add, "lift": suppressions.lift},
        ),
        "sms": _group("Work with texts: what one would cost.", {"estimate": sms.estimate}),
        "keys": _group(
            "Make, list and revoke API keys.", {"create": keys.create, "list": keys.list_, "revoke": keys.revoke}
        ),
        "vapid": _group("Make keys for browser push.", {"new": vapid.new}),
        "config": _group("Check and show the settings.", {"check": config.check, "show": config.show}),
        "rules": _group(
            "Check event rules, and try them on recorded events.", {"check": rules.check, "try": rules.try_}
        ),
        "topics": _group(
            "Make, check and list the topics on a Kafka cluster.",
            {"apply": topics.apply, "check": topics.check, "describe": topics.describe},
        ),
    }


def _group(about: str, commands: Mapping[str, Callable[..., None]]) -> typer.Typer:
    app = typer.Typer(help=about, **_style())
    for name, command in commands.items():
        app.command(name)(command)
    return app
