"""`tocsin dlq`: list dead letters, look into one, send some again, give some up."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tocsin.cli import letters, options, output, session, times, world
from tocsin.cli.failures import CommandFailed, Misused, Refused

if TYPE_CHECKING:
    from tocsin.cli.client import Answer

Ids = Annotated[list[str], typer.Argument(metavar="ID", help="Ids of dead letters: dlt_….")]


def list_(
    ctx: typer.Context,
    *,
    channel: Annotated[str | None, typer.Option(help="Only this channel.", show_default=False)] = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason, such as rejected.", show_default=False)] = None,
    code: Annotated[str | None, typer.Option(help="Only this code, such as '550 5.1.1'.", show_default=False)] = None,
    state: Annotated[
        str | None, typer.Option(help="open, replaying, replayed or discarded.", show_default=False)
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Died since: how long ago (2h, 3d), or a time.", show_default=False)
    ] = None,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """List dead letters, the newest first.

    \b
    Examples:
      tocsin dlq list --state open --since 24h
      tocsin dlq list --reason rejected --json | jq -r '.items[].id'
    """
    now = world.of(ctx).now()
    wanted = {
        "channel": channel,
        "reason": reason,
        "code": code,
        "state": state,
        "from": None if since is None else times.moment(since, now=now, option="--since"),
        "limit": limit,
        "cursor": cursor,
    }
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.get("dlq", params=wanted)
    if as_json:
        output.raw_json(answer.raw)
        return
    found = answer.document["items"]
    if found:
        console = output.out()
        console.print(letters.listing(found, now=now, width=console.width))
    else:
        output.note("No dead letters." if set(wanted.values()) <= {None, limit} else "No such dead letters.")
    output.more(answer.document["next_cursor"])


def show(
    ctx: typer.Context,
    *,
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id: dlt_….")],
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Look into a dead letter: why it died, every attempt, and its payload.

    Looking is recorded in the audit, for the payload is private.

    \b
    Example:
      tocsin dlq show dlt_01m7z77eghvjzzy9x7dbaqsxt6
    """
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.get("dlq", letter_id)
    if as_json:
        output.raw_json(answer.raw)
    else:
        output.out().print(letters.whole(answer.document, now=world.of(ctx).now()))


def replay(
    ctx: typer.Context,
    *,
    letter_ids: Ids,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Send dead letters again, as they were accepted: each as the next life of its delivery.

    \b
    Examples:
      tocsin dlq replay dlt_01m7z77eghvjzzy9x7dbaqsxt6
      tocsin dlq list --state open --json | jq -r '.items[].id' |
          xargs tocsin dlq replay
    """
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        _each(letter_ids, lambda letter: gateway.post("dlq", letter, "replay"), as_json=as_json)


def discard(
    ctx: typer.Context,
    *,
    letter_ids: Ids,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Give dead letters up for good. They stay in the list, and can no longer be replayed.

    \b
    Example:
      tocsin dlq discard dlt_01m7z77eghvjzzy9x7dbaqsxt6 --yes
    """
    if not yes:
        _ask(ctx, len(letter_ids))
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        _each(letter_ids, lambda letter: gateway.post("dlq", letter, "discard"), as_json=as_json)


def _ask(ctx: typer.Context, count: int) -> None:
    what = "this dead letter" if count == 1 else f"these {count} dead letters"
    if not world.of(ctx).can_ask():
        raise Misused(f"Discarding {what} is final, and nobody is here to be asked; say --yes")
    if not typer.confirm(f"Discard {what} for good?", err=True):
        raise CommandFailed("Nothing was discarded.")


def _each(letter_ids: Sequence[str], decide: Callable[[str], "Answer"], *, as_json: bool) -> None:
    """Decide about each; one that is refused does not keep the others from being done."""
    results: list[Mapping[str, Any]] = []
    try:
        for letter_id in dict.fromkeys(letter_ids):
            results.append(_one(letter_id, decide, as_json=as_json))  # noqa: PERF401 -- each counts once it is done
    finally:
        # Also where the gateway goes away half-way: what was done has been done.
        if as_json:
            output.json({"results": results})
    if any("status" in result for result in results):
        raise typer.Exit(CommandFailed.exit_code)


def _one(letter_id: str, decide: Callable[[str], "Answer"], *, as_json: bool) -> Mapping[str, Any]:
    """Return the answer, or the problem with the letter's id; only a problem has a `status`."""
    try:
        done = decide(letter_id).document
    except Refused as error:
        output.error(f"{letter_id}: {error}")
        return {**error.problem, "id": letter_id, "status": error.status}
    if not as_json:
        _tell(done)
    return done


def _tell(done: Mapping[str, Any]) -> None:
    life = f" as life {done['life']}" if "life" in done else ""
    output.out().print(output.plain(f"{done['id']}  {done['state']}{life}"), soft_wrap=True)
