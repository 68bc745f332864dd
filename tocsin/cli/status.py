"""`tocsin status`: what became of a notification, delivery by delivery, life by life."""

from typing import Annotated

import typer

from tocsin.cli import follow, options, output, session, timeline, world


def status(
    ctx: typer.Context,
    *,
    notification_id: Annotated[str, typer.Argument(metavar="ID", help="The notification's id: ntf_….")],
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep looking until it has ended; Ctrl-C stops looking.")
    ] = False,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Show what became of a notification.

    Each delivery with its lives, and in each life what happened and how long after its start.

    \b
    Examples:
      tocsin status ntf_01m7z77eghj90ssyrw6dqrsw9x
      tocsin status ntf_01m7z77eghj90ssyrw6dqrsw9x --watch
      tocsin status ntf_01m7z77eghj90ssyrw6dqrsw9x --json | jq -r .state
    """
    here = world.of(ctx)
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        if watch:
            follow.watch(gateway, notification_id, world=here, as_json=as_json)
            return
        answer = gateway.get("notifications", notification_id)
    if as_json:
        output.raw_json(answer.raw)
    else:
        output.out().print(timeline.tree(answer.document, now=here.now()))
