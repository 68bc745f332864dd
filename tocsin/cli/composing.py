"""The options with which `tocsin send` is told what to send."""

from typing import Annotated, Any

import typer

_PANEL = "The notification"


def _text(option: str, help_text: str, metavar: str = "TEXT") -> Any:
    return typer.Option(option, metavar=metavar, help=help_text, rich_help_panel=_PANEL, show_default=False)


To = Annotated[str | None, _text("--to", "Whom to notify: an email address or a phone number.", "ADDRESS")]
Channel = Annotated[
    str | None,
    _text("--channel", "email, sms, push (--to fcm:TOKEN) or browser (--to an id); else by the address.", "NAME"),
]
Template = Annotated[str | None, _text("--template", "The name of a template.", "NAME")]
Data = Annotated[str | None, _text("--data", "What fills the template, in JSON.", "JSON")]
DataFile = Annotated[str | None, _text("--data-file", "The same from a file; - is standard input.", "FILE")]
Subject = Annotated[str | None, _text("--subject", "The subject or title, where there is no template.")]
Body = Annotated[str | None, _text("--text", "The body in plain text.")]
Html = Annotated[str | None, _text("--html", "The body in HTML.")]
Locale = Annotated[str | None, _text("--locale", "The recipient's language, such as de or pt-BR.", "TAG")]
Lane = Annotated[str | None, _text("--lane", "high, normal (if not given) or bulk.", "LANE")]
Category = Annotated[str | None, _text("--category", "Your own grouping.", "NAME")]
ExpiresIn = Annotated[str | None, _text("--expires-in", "Give up after this: 90s, 10m, 24h, 3d.", "DURATION")]
Metadata = Annotated[
    list[str] | None, _text("--metadata", "Text of yours to search by; may be repeated.", "NAME=VALUE")
]
File = Annotated[str | None, _text("--file", "A whole notification in JSON; - is standard input.", "FILE")]
IdempotencyKey = Annotated[
    str | None, _text("--idempotency-key", "Send once, however often this is repeated within 24 h.", "KEY")
]
