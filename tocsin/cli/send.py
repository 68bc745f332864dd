"""`tocsin send`: submit a notification, and if asked follow it to its end."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text
from typer.core import TyperCommand

from tocsin.cli import composing, follow, notification, options, output, session, timeline, times, world
from tocsin.cli.failures import CommandFailed, Misused, Refused, Unanswered
from tocsin.lifecycle import State

if TYPE_CHECKING:
    from tocsin.cli.client import Answer, Gateway

_UNTIL_ENDED = "end"
_UNAVAILABLE = 503


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


Wait = Annotated[
    str | None,
    typer.Option(
        "--wait",
        metavar="[DURATION]",
        help="Follow it to its end, or for so long: 30, 90s, 10m. Exit code 0 means delivered.",
        show_default=False,
    ),
]


def send(
    ctx: typer.Context,
    *,
    to: composing.To = None,
    channel: composing.Channel = None,
    template: composing.Template = None,
    data: composing.Data = None,
    data_file: composing.DataFile = None,
    subject: composing.Subject = None,
    text: composing.Body = None,
    html: composing.Html = None,
    locale: composing.Locale = None,
    lane: composing.Lane = None,
    category: composing.Category = None,
    expires_in: composing.ExpiresIn = None,
    metadata: composing.Metadata = None,
    file: composing.File = None,
    idempotency_key: composing.IdempotencyKey = None,
    wait: Wait = None,
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
    message = {"subject": subject, "text": text, "html": html}
    content = notification.Content(template=template, data=data, data_file=data_file, **message)
    how = {"lane": lane, "category": category, "expires_in": expires_in}
    typed = notification.Typed(
        to=to, channel=channel, locale=locale, content=content, metadata=tuple(metadata or ()), **how
    )
    body, once = notification.body(typed, file=file), _key(ctx, idempotency_key)
    seconds = _seconds(wait)
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = _submitted(gateway, body, once)
        if not as_json:
            _tell(answer)
        if wait is not None:
            _follow(ctx, gateway, answer, seconds=seconds, as_json=as_json)
        elif as_json:
            output.raw_json(answer.raw)


def _key(ctx: typer.Context, given: str | None) -> str:
    """Return the idempotency key that was given, else a new one. Raises Misused."""
    if given is None:
        return f"cli-{world.of(ctx).token()}"
    if not (given.isascii() and given.isprintable()):
        raise Misused("--idempotency-key travels in a header, which takes ASCII only")
    return given


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
    if answer.document.get("test"):
        output.note("The key is a test key: no provider is reached.")
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
