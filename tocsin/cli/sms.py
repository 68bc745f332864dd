"""`tocsin sms`: what a text would come to."""

from typing import Annotated, Any

import msgspec
import typer

from tocsin.cli import notification, options, output, session


def estimate(
    ctx: typer.Context,
    *,
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Whom it would go to, like +4915112345678.")],
    text: Annotated[str | None, typer.Argument(metavar="[TEXT]", help="The text.", show_default=False)] = None,
    template: Annotated[str | None, typer.Option(help="A template, in place of a text.", show_default=False)] = None,
    data: Annotated[
        str | None, typer.Option(metavar="JSON", help="What fills the template.", show_default=False)
    ] = None,
    locale: Annotated[
        str | None, typer.Option(help="The language of the template, such as de.", show_default=False)
    ] = None,
    as_json: options.AsJson = False,
    url: options.Url = None,
    key: options.Key = None,
    key_file: options.KeyFile = None,
) -> None:
    """Say how many segments a text takes, about what it costs, and whether it would be sent. Nothing is sent.

    \b
    Examples:
      tocsin sms estimate +4915112345678 "Your code is 123."
      tocsin sms estimate +4915112345678 --template welcome --data '{"name": "Ada"}' --locale de
    """
    wanted = {"to": number, "text": text, "template": template, "data": _filling(data), "locale": locale}
    body = msgspec.json.encode({name: value for name, value in wanted.items() if value is not None})
    with session.connected(ctx, url=url, key=key, key_file=key_file) as gateway:
        answer = gateway.post("sms", "estimate", body=body)
    if as_json:
        output.raw_json(answer.raw)
    else:
        _tell(answer.document)


def _filling(data: str | None) -> msgspec.Raw | None:
    """Return the data as it was written, so that its numbers keep their digits."""
    return None if data is None else msgspec.Raw(notification.checked(data.encode(), what="--data"))


def _tell(found: Any) -> None:
    price = "not known: sms.prices has none" if found["price"] is None else f"{found['price']} {found['currency']}"
    refusal = found["refusal"]
    output.out().print(
        output.facts(
            ("region", found["region"]),
            ("segments", f"{found['segments']} ({found['encoding']})"),
            ("price", price),
            ("refused", None if refusal is None else f"{refusal['reason']}: {refusal['detail']}"),
        )
    )
