"""From what a person typed to the body of a submit. Whether it makes sense is for the gateway to say, not for us."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from tocsin.cli import addressing, times
from tocsin.cli.failures import Misused

_STDIN = "-"
_EXAMPLE = "--to ada@example.com --template welcome"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """The options that say what to send: a template and its data, or a message. Not for logs."""

    template: str | None = None
    data: str | None = field(default=None, repr=False)
    data_file: str | None = None
    subject: str | None = field(default=None, repr=False)
    text: str | None = field(default=None, repr=False)
    html: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """The options of `tocsin send` that make up a notification. Addresses and contents are not for logs."""

    to: str | None = field(default=None, repr=False)
    channel: str | None = None
    locale: str | None = None
    content: Content = Content()
    lane: str | None = None
    category: str | None = None
    expires_in: str | None = None
    metadata: Sequence[str] = ()


def body(typed: Typed, *, file: str | None) -> bytes:
    """Return the JSON to submit: the file as it is, or a document made of the options. Raises Misused."""
    if file is not None:
        if typed != Typed():
            raise Misused("--file holds the whole notification; leave out the options that make one")
        return checked(_read(file, option="--file"), what=f"--file {file}")
    if typed.to is None:
        raise Misused(f"Say whom to notify, such as {_EXAMPLE}, or give a whole notification with --file")
    return msgspec.json.encode(_document(typed, typed.to))


def checked(raw: bytes, *, what: str) -> bytes:
    """Return JSON as it was written. Raises Misused, naming `what` it is."""
    try:
        msgspec.json.decode(raw)
    except (ValueError, RecursionError) as error:
        raise Misused(f"{what} is not JSON: {error}") from None
    return raw


def _document(typed: Typed, to: str) -> dict[str, object]:
    channel = addressing.channel(to, typed.channel)
    locale = {} if typed.locale is None else {"locale": typed.locale}
    document: dict[str, object | None] = {
        "recipient": addressing.recipient(to, channel) | locale,
        "channels": [channel],
        **_what(typed.content, channel),
        "lane": typed.lane,
        "category": typed.category,
        "expires_in": _seconds(typed.expires_in),
        "metadata": dict(_pair(each) for each in typed.metadata) or None,
    }
    return {name: value for name, value in document.items() if value is not None}


def _what(typed: Content, channel: str) -> dict[str, object]:
    given = {"subject": typed.subject, "text": typed.text, "html": typed.html}
    content = {name: value for name, value in given.items() if value is not None}
    if typed.template is not None:
        if content:
            raise Misused(f"--template brings its own content; leave out --{next(iter(content))}")
        data = _data(typed)
        return {"template": typed.template} if data is None else {"template": typed.template, "data": data}
    if typed.data is not None or typed.data_file is not None:
        raise Misused("--data fills a template; name it with --template")
    if not content:
        raise Misused("Say what to send: --template with --data, or --subject with --text or --html")
    return {"content": {channel: addressing.content(content, channel)}}


def _data(typed: Content) -> msgspec.Raw | None:
    """Return the data as it was written, so that its numbers keep their digits."""
    if typed.data is not None and typed.data_file is not None:
        raise Misused("--data and --data-file were both given; keep one of them")
    if typed.data is not None:
        return msgspec.Raw(checked(typed.data.encode(), what="--data"))
    if typed.data_file is not None:
        what = f"--data-file {typed.data_file}"
        return msgspec.Raw(checked(_read(typed.data_file, option="--data-file"), what=what))
    return None


def _read(name: str, *, option: str) -> bytes:
    if name == _STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise Misused(f"{option} {name} cannot be read: {error.strerror or error}") from None


def _seconds(text: str | None) -> int | None:
    return None if text is None else int(times.duration(text, option="--expires-in").total_seconds())


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Misused(f"--metadata {text} is not a name and a value; write it like --metadata order_id=1001")
    return name, value
