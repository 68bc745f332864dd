"""`tocsin suppressions`: addresses that nothing is sent to, listed, added and lifted."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
import typer

from tocsin.cli import options, output, session, suppressed, times, world
from tocsin.cli.failures import Misused
from tocsin.clock import rfc3339


def list_(
    ctx: typer.Context,
    *,
    channel: Annotated[str | None, typer.Option(help="Only this channel.", show_default=False)] = None,
    address: Annotated[str | None, typer.Option(help="Only this address.", show_default=False)] = None,
    category: Annotated[str | None, typer.Option(help="Only of this category.", show_default=False)] = None,
    reason: Annotated[str | None, typer.Option(help="Only this reason, such as opt_out.", show_default=False)] = None,
    limit: options.Limit = 50,
    cursor: options.Cursor = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """List the addresses that nothing is sent to, the newest first.

    \b
    Examples:
      tocsin suppressions list --reason hard_bounce
      tocsin suppressions list --address ada@example.com
    """
    narrowed = {"channel": channel, "address": address, "category": category, "reason": reason}
    wanted = {**narrowed, "limit": limit, "cursor": cursor}
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.get("suppressions", params=wanted)
    if as_json:
        output.raw_json(answer.raw)
        return
    if not (found := answer.document["items"]):
        output.note("Nothing is suppressed." if set(wanted.values()) <= {None, limit} else "No such suppressions.")
    else:
        console = output.out()
        console.print(suppressed.listing(found, now=world.of(ctx).now(), width=console.width))
    output.more(answer.document["next_cursor"])


def add(
    ctx: typer.Context,
    *,
    channel: Annotated[str, typer.Argument(metavar="CHANNEL", help="The address's channel, such as email.")],
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The address that nothing is to be sent to.")],
    category: Annotated[str | None, typer.Option(help="Only of this category; else all.", show_default=False)] = None,
    reason: Annotated[
        str,
        typer.Option(help="manual, hard_bounce, complaint, opt_out, dead_token or unsubscribe.", show_default=False),
    ] = "manual",
    lasting: Annotated[
        str | None, typer.Option("--for", help="How long, like 12h or 30d; else for good.", show_default=False)
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Send nothing more to an address, or nothing of one category. Repeating it does no harm.

    \b
    Examples:
      tocsin suppressions add email ada@example.com
      tocsin suppressions add email ada@example.com --reason opt_out --for 30d
      tocsin suppressions add email ada@example.com --category newsletter --reason unsubscribe
    """
    wanted = {"channel": channel, "address": address, "reason": reason}
    if category is not None:
        wanted["category"] = category
    if lasting is not None:
        wanted["expires_at"] = _end(world.of(ctx).now(), lasting)
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.post("suppressions", body=msgspec.json.encode(wanted))
    if as_json:
        output.raw_json(answer.raw)
    else:
        _tell(answer.document, f"suppressed: {answer.document['reason']}")


def lift(
    ctx: typer.Context,
    *,
    suppression_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The suppression's id: sup_….", show_default=False)
    ] = None,
    channel: Annotated[str | None, typer.Option(help="With --address: its channel.", show_default=False)] = None,
    address: Annotated[str | None, typer.Option(help="The address, in place of an id.", show_default=False)] = None,
    category: Annotated[
        str | None, typer.Option(help="With --address: what holds this category back.", show_default=False)
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Use an address again, in all categories or in the one that was held back. What ended suppressed stays so.

    \b
    Examples:
      tocsin suppressions lift sup_00000000006pp1rh1n2e3act78
      tocsin suppressions lift --channel email --address ada@example.com
    """
    by_address = channel is not None and address is not None
    if (suppression_id is None) != by_address or (suppression_id is not None and (channel or address or category)):
        raise Misused("Name what to lift: its ID, or --channel and --address")
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        if suppression_id is not None:
            answer = gateway.delete("suppressions", suppression_id)
        else:
            wanted = {"channel": channel, "address": address, "category": category}
            answer = gateway.delete("suppressions", params=wanted)
    if as_json:
        output.raw_json(answer.raw)
    else:
        _tell(answer.document, "lifted")


def _tell(done: Any, what: str) -> None:
    category = f"  {done['category']}" if done["category"] else ""
    line = output.plain(f"{done['id']}  {done['channel']}  {done['address']}{category}  {what}")
    output.out().print(line, soft_wrap=True)


def _end(now: datetime, lasting: str) -> str:
    try:
        return rfc3339(now + times.duration(lasting, option="--for"))
    except OverflowError:
        raise Misused(f"--for {lasting} is longer than time is counted") from None
