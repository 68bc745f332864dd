"""`tocsin send`: submit a notification, and if asked follow it to its end."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperCommand

from tocsin.cli import follow, notification, options, output, session, timeline, times, world
from tocsin.cli.failures import CommandFailed, Misused, Refused, Unanswered
from tocsin.lifecycle import State

if TYPE_CHECKING:
    from tocsin.cli.client import Answer, Gateway

_UNTIL_ENDED = "end"
_UNAVAILABLE = 503
_WHAT = "The notification"


class WaitsOptionally(TyperCommand):
    """A command whose `--wait` may come without a value, which Typer has no way to say."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See Typer."""
        return super().parse_args(ctx, _filled(args))


def _filled(args: list[str]) -> list[str]:
    """Return the arguments with a value for each `--wait` that has none."""
    filled = []
    for argument, following in zip(args, [*args[1:], ""], strict=True):
        bare = argument == "--wait" and not following[:1].isdigit()
        filled.append(f"{argument}={_UNTIL_ENDED}" if bare else argument)
    return filled


def _text(option: str, help_text: str, metavar: str = "TEXT") -> Any:
    return typer.Option(option, metavar=metavar, help=help_text, rich_help_panel=_WHAT, show_default=False)


def send(
    ctx: typer.Context,
    *,
    to: Annotated[str | None, _text("--to", "Whom to notify: an email address or a phone number.", "ADDRESS")] = None,
    channel: Annotated[
        str | None,
        _text("--channel", "email, sms, push (--to fcm:TOKEN) or browser (--to an id); else by the address.", "NAME"),
    ] = None,
    template: Annotated[str | None, _text("--template", "The name of a template.", "NAME")] = None,
    data: Annotated[str | None, _text("--data", "What fills the template, in JSON.", "JSON")] = None,
    data_file: Annotated[str | None, _text("--data-file", "The same from a file; - is standard input.", "FILE")] = None,
    subject: Annotated[str | None, _text("--subject", "The subject or title, where there is no template.")] = None,
    text: Annotated[str | None, _text("--text", "The body in plain text.")] = None,
    html: Annotated[str | None, _text("--html", "The body in HTML.")] = None,
    locale: Annotated[str | None, _text("--locale", "The recipient's language, such as de or pt-BR.", "TAG")] = None,
    lane: Annotated[str | None, _text("--lane", "high, normal (if not given) or bulk.", "LANE")] = None,
    category: Annotated[str | None, _text("--category", "Your own grouping.", "NAME")] = None,
    expires_in: Annotated[
        str | None, _text("--expires-in", "Give up after this: 90s, 10m, 24h, 3d.", "DURATION")
    ] = None,
    metadata: Annotated[
        list[str] | None, _text("--metadata", "Text of yours to search by; may be repeated.", "NAME=VALUE")
    ] = None,
    file: Annotated[str | None, _text("--file", "A whole notification in JSON; - is standard input.", "FILE")] = None,
    idempotency_key: Annotated[
        str | None, _text("--idempotency-key", "Send once, however often this is repeated within 24 h.", "KEY")
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="[DURATION]",
            help="Follow it to its end, or for so long: 30, 90s, 10m. Exit code 0 means delivered.",
            show_default=False,
        ),
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Submit a notification.

    It is durable once this returns. With --wait the command follows it until it is delivered or has failed.

    \b
    Examples:
      tocsin send --to ada@example.com --subject Hello --text 'How are you?'
      tocsin send --to +12025550143 --text 'Your code is 123.' --lane high
      tocsin send --to ada@example.com --template welcome \\
          --data '{"name": "Ada"}' --expires-in 24h --wait
      tocsin send --file notification.json --idempotency-key order-1001
    """
    typed = notification.Typed(
        to=to,
        channel=channel,
        template=template,
        data=data,
        data_file=data_file,
        subject=subject,
        text=text,
        html=html,
        locale=locale,
        lane=lane,
        category=category,
        expires_in=expires_in,
        metadata=tuple(metadata or ()),
    )
    body = notification.body(typed, file=file)
    if idempotency_key is not None and not (idempotency_key.isascii() and idempotency_key.isprintable()):
        raise Misused("--idempotency-key travels in a header, which takes ASCII only")
    seconds = _seconds(wait)
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = _submitted(gateway, body, idempotency_key or f"cli-{world.of(ctx).token()}")
        if not as_json:
            _tell(answer)
        if wait is not None:
            _follow(ctx, gateway, answer, seconds=seconds, as_json=as_json)
        elif as_json:
            output.raw_json(answer.raw)


def _seconds(wait: str | None) -> float | None:
    return None if wait in {None, _UNTIL_ENDED} else times.duration(str(wait), option="--wait").total_seconds()


def _submitted(gateway: "Gateway", body: bytes, idempotency_key: str) -> "Answer":
    """Submit it, always under a key: where it is open whether it was taken, the error says how to repeat it safely."""
    repeat = f"\nRepeat it with --idempotency-key {idempotency_key}: it is then sent once, taken or not."
    try:
        return gateway.post("notifications", body=body, headers={"Idempotency-Key": idempotency_key})
    except Unanswered as error:
        raise Unanswered(f"{error}{repeat}") from error
    except Refused as error:
        if error.status != _UNAVAILABLE:
            raise
        raise Refused(f"{error}{repeat}", status=error.status, problem=error.problem) from error


def _tell(answer: "Answer") -> None:
    console = output.out()
    console.print(Text(output.plain(answer.document["id"]), style="bold"), soft_wrap=True)
    for delivery in answer.document["deliveries"]:
        words = (output.plain(delivery["channel"]), output.state(delivery["state"]), output.plain(delivery["id"]))
        console.print(Text("  ").join([Text(), *(Text.assemble(word) for word in words)]), soft_wrap=True)
    if answer.headers.get("Idempotent-Replayed") == "true":
        output.note("It was submitted before under this idempotency key; nothing is sent again.")


def _follow(ctx: typer.Context, gateway: "Gateway", answer: "Answer", *, seconds: float | None, as_json: bool) -> None:
    """Follow it, and end with 0 only if it was delivered to all of its addresses."""
    submitted = str(answer.document["id"])
    later = f"It goes on without you. Look again with: tocsin status {submitted}"
    try:
        last = follow.watch(gateway, submitted, world=world.of(ctx), as_json=as_json, seconds=seconds, just_sent=True)
    except KeyboardInterrupt:
        output.note(later)
        raise
    if last is None and as_json:
        output.raw_json(answer.raw)
    if last is None or not timeline.ended(last):
        output.note(f"Not ended yet. {later}")
    if last is None or last["state"] != State.DELIVERED or last["partial"]:
        raise typer.Exit(CommandFailed.exit_code)
