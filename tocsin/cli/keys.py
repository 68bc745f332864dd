"""`tocsin keys`: API keys, made, listed and revoked."""

from datetime import datetime
from typing import Annotated

import msgspec
import typer
from rich.text import Text

from tocsin.cli import options, output, session, times, world


def create(
    ctx: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, such as the system that uses it.")],
    scope: Annotated[
        list[str],
        typer.Option(metavar="SCOPE", help="submit, read, operate or admin; may be repeated.", show_default=False),
    ],
    test: Annotated[bool, typer.Option("--test", help="A test key: what it submits never reaches a provider.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Make an API key. It is shown once, and kept nowhere but with you.

    \b
    submit   submit notifications        operate  work with dead letters
    read     see what became of them     admin    all of it, and keys

    \b
    Examples:
      tocsin keys create shop --scope submit --scope read
      tocsin keys create shop --scope submit --json | jq -r .key > shop.key
      tocsin keys create shop-ci --scope submit --scope read --test
    """
    body = msgspec.json.encode({"name": name, "scopes": scope} | ({"mode": "test"} if test else {}))
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.post("keys", body=body)
    if as_json:
        output.raw_json(answer.raw)
        return
    made = answer.document
    facts = (
        ("id", made["id"]),
        ("name", made["name"]),
        ("scopes", " ".join(made["scopes"])),
        ("mode", made["mode"]),
    )
    output.out().print(output.facts(*facts, ("key", Text(output.plain(made["key"]), style="bold"))))
    output.note("Keep the key now: it cannot be shown again.")


def list_(
    ctx: typer.Context,
    *,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """List API keys, the revoked ones too. The keys themselves are not stored.

    \b
    Example:
      tocsin keys list
    """
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.get("keys")
    if as_json:
        output.raw_json(answer.raw)
        return
    now = world.of(ctx).now()
    table = output.table("ID", "NAME", "SCOPES", "MODE", "CREATED", "REVOKED")
    for each in answer.document["items"]:
        moments = (_when(each["created_at"], now), _when(each["revoked_at"], now))
        facts = (output.plain(each["id"]), output.plain(each["name"]), " ".join(each["scopes"]), each["mode"])
        table.add_row(*facts, *moments)
    output.out().print(table)


def revoke(
    ctx: typer.Context,
    *,
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id: key_…, not the key itself.")],
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Revoke an API key, at once and for good. Repeating it does no harm.

    \b
    Example:
      tocsin keys revoke key_01m7z77eghvjzzy9x7dbaqsxt6
    """
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.delete("keys", key_id)
    if as_json:
        output.raw_json(answer.raw)
    else:
        done = answer.document
        output.out().print(output.plain(f"{done['id']}  {done['name']}  revoked"), soft_wrap=True)


def _when(moment: str | None, now: datetime) -> str:
    return "" if moment is None else times.relative(times.parse(moment), now=now)
