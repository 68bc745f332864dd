"""The pages behind a link to unsubscribe: they ask, confirm, or say that the link is none of ours. Pure.

They hold no script and load nothing, and show no address: links are forwarded.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Final

from channels.email.unsubscribe import ONE_CLICK

HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Vary": "Accept-Language",
}

_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:1.05rem/1.6 system-ui,sans-serif;max-width:32rem;margin:0 auto;padding:12vh 1.5rem;"
    "color:light-dark(#1d2939,#e4e7ec);background:light-dark(#fff,#12161d);overflow-wrap:anywhere}"
    "h1{font-size:1.6rem;line-height:1.25;margin:0 0 1rem}p{margin:0 0 1.75rem}"
    "button{font:inherit;font-weight:600;padding:.7rem 1.5rem;border:0;border-radius:.6rem;cursor:pointer;"
    "color:light-dark(#fff,#0b1220);background:light-dark(#1d4ed8,#93b4fd)}"
    "button:hover{background:light-dark(#1e40af,#bcd0fe)}"
    "button:focus-visible{outline:3px solid light-dark(#1d2939,#fff);outline-offset:3px}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Words:
    """The texts of one language; `{}` is where the category stands."""

    ask_title: str
    ask: str
    button: str
    done_title: str
    done: str
    missing_title: str
    missing: str
    refused: str


_LANGUAGES: Mapping[str, _Words] = {
    "en": _Words(
        ask_title="Unsubscribe",
        ask="Do you want to stop getting emails of the kind “{}”?",
        button="Unsubscribe",
        done_title="You are unsubscribed",
        done="You will get no more emails of the kind “{}”. One that is on its way already may still arrive.",
        missing_title="This link does not work",
        missing="It may be incomplete. Please open it from the email once more.",
        refused="Nothing has changed. Please open the link from the email once more.",
    ),
    "de": _Words(
        ask_title="Abmelden",
        ask="Möchten Sie keine E-Mails der Art „{}“ mehr bekommen?",
        button="Abmelden",
        done_title="Sie sind abgemeldet",
        done="Sie bekommen keine E-Mails der Art „{}“ mehr. Eine, die schon unterwegs ist, kann noch ankommen.",
        missing_title="Dieser Link funktioniert nicht",
        missing="Vielleicht ist er unvollständig. Bitte öffnen Sie ihn noch einmal aus der E-Mail.",
        refused="Es hat sich nichts geändert. Bitte öffnen Sie den Link noch einmal aus der E-Mail.",
    ),
}
_DEFAULT = "en"


def language(accepted: str) -> str:
    """Return the language for an `Accept-Language` (RFC 9110, section 12.5.4): the best that there is, else English."""
    wishes: list[tuple[float, str]] = []
    for item in accepted.split(","):
        tag, _, weight = item.partition(";")
        name = tag.strip().lower().partition("-")[0]
        if name in _LANGUAGES and (quality := _quality(weight)) > 0:
            wishes.append((quality, name))
    # Of equal ones the first.
    return max(wishes, key=lambda wish: wish[0])[1] if wishes else _DEFAULT


def ask(category: str, lang: str) -> str:
    """Return the page with the button. Its form goes to the page's own URL, whatever a proxy has made of that."""
    words = _LANGUAGES[lang]
    name, value = ONE_CLICK
    form = (
        f'<form method="post"><input type="hidden" name="{name}" value="{value}">'
        f'<button type="submit">{escape(words.button)}</button></form>'
    )
    return _page(lang, words.ask_title, words.ask.format(category), form)


def done(category: str, lang: str) -> str:
    """Return the page that says that it is done."""
    words = _LANGUAGES[lang]
    return _page(lang, words.done_title, words.done.format(category))


def missing(lang: str) -> str:
    """Return the page for a link that is none of ours."""
    words = _LANGUAGES[lang]
    return _page(lang, words.missing_title, words.missing)


def refused(lang: str) -> str:
    """Return the page for a form that does not ask to unsubscribe."""
    words = _LANGUAGES[lang]
    return _page(lang, words.missing_title, words.refused)


def _quality(weight: str) -> float:
    name, _, value = weight.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0


def _page(lang: str, title: str, text: str, form: str = "") -> str:
    return (
        f'<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head>"
        f"<body><main><h1>{escape(title)}</h1><p>{escape(text)}</p>{form}</main></body></html>"
    )
