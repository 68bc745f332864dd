"""`tocsin lag`: how far each consumer group is behind."""

import typer

from tocsin.cli import options, output, session


def lag(
    ctx: typer.Context,
    *,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Show how many records each consumer group has yet to commit, whichever processes read for it.

    Needs a key with the scope operate. What waits for its time in a retry topic counts as well.

    \b
    Example:
      tocsin lag
    """
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.get("lag")
    if as_json:
        output.raw_json(answer.raw)
        return
    table = output.table("GROUP", "LAG", "TOPICS")
    for each in answer.document["items"]:
        topics = ", ".join(f"{topic} {count:,}" for topic, count in each["topics"].items())
        table.add_row(output.plain(each["group"]), f"{each['lag']:,}", output.plain(topics))
    output.out().print(table)
