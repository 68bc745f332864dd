"""What an SMTP reply means, by the table in `codes.toml`: code first, then enhanced status, then the vendor's words.

Replies quote addresses back at us; what leaves this module as text is cut and has none.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, Literal, NamedTuple

from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

Phase = Literal["connect", "helo", "tls", "auth", "mail", "rcpt", "data", "body"]

# Where the server speaks of the recipient, of whom a mail has one. At MAIL a "5.1.x" is about the sender.
_OF_RECIPIENT: frozenset[Phase] = frozenset({"rcpt", "data", "body"})
_MOST_TEXT = 512
_MOST_READ = 2048
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\u200e\u200f\u202a-\u202e]+")
_ADDRESS = re.compile(r"""<?(?:"[^"]{0,64}"|[^\s<>()\[\],;:"']{1,256})@[^\s<>(),;"']+>?""")
_QUEUE_ID = (
    re.compile(r"queued as ([A-Za-z0-9._-]{1,128})", re.IGNORECASE),
    re.compile(r"\bid=([A-Za-z0-9._-]{1,128})"),
    re.compile(r"\b([A-Za-z0-9._-]{6,128}) Message accepted", re.IGNORECASE),
    re.compile(r"\AOk ([0-9a-f]{16}-[A-Za-z0-9-]{20,111})\Z"),
)


class Reading(NamedTuple):
    """A reply's outcome, and whether the table knew it (what it did not know is counted by the caller)."""

    outcome: Outcome
    mapped: bool


class _Told(NamedTuple):
    """What an outcome repeats of a reply."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table. Empty conditions always hold."""

    codes: frozenset[int]
    classes: frozenset[int]
    status: tuple[str, ...]
    text: tuple[str, ...]
    phases: frozenset[str]
    outcome: str
    reason: str
    scope: Any
    suppress: str | None

    def fits(self, code: int, status: str, text: str, phase: Phase) -> bool:
        """Return whether every condition of the row holds. `text` is in lower case."""
        return (
            (code in self.codes or code // 100 in self.classes)
            and (not self.phases or phase in self.phases)
            and (not self.status or any(_matches(pattern, status) for pattern in self.status))
            and (not self.text or any(words in text for words in self.text))
        )


class Table:
    """The table at work. Made once from `load`."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = tuple(rows)

    def classify(self, code: int, text: str, phase: Phase) -> Reading:
        """Return what the reply to a phase means. Never raises; every code and text has an outcome.

        A reply that is no reply (code outside 200-599, or a 2yz or 3yz where it makes no sense) says nothing about
        the message: after the final dot that is Unconfirmed, before it a broken dialogue.
        """
        found = _STATUS.search(text[:64])
        status = found[0] if found and found[0][0] == str(code)[0] else ""
        told = _Told(f"{code} {status}".rstrip(), redacted(text))
        kind = code // 100
        if kind == 2 and phase == "body":  # noqa: PLR2004 - 2yz, RFC 5321 section 4.2.1
            return Reading(Delivered(provider_id=queue_id(text), code=told.code, message=told.message), mapped=True)
        if kind not in (4, 5):
            return Reading(_senseless(phase, told), mapped=False)
        lowered = text[:_MOST_READ].lower()
        for row in self._rows:
            if row.fits(code, status, lowered, phase):
                return Reading(_outcome(row, told, phase), mapped=True)
        if kind == 4:  # noqa: PLR2004 - 4yz
            return Reading(Deferred(cause="unmapped", code=told.code, message=told.message), mapped=False)
        return Reading(Rejected(reason="unmapped", scope="message", code=told.code, message=told.message), mapped=False)


def load() -> Table:
    """Read the table that is shipped with this package. Raises KeyError or ValueError if a row is wrong: a bug."""
    text = resources.files(__package__).joinpath("codes.toml").read_text(encoding="utf-8")
    return Table([_row(row) for row in tomllib.loads(text)["row"]])


def queue_id(text: str) -> str | None:
    """Return the name that the server gave the message, if it said one in a form we know."""
    for pattern in _QUEUE_ID:
        found = pattern.search(text[:_MOST_READ])
        if found:
            return found[1]
    return None


def redacted(text: str) -> str:
    """Return at most 512 characters of a reply, on one line, with `<address>` for what looks like an address."""
    head = text[:_MOST_READ]
    if len(text) > _MOST_READ:
        # The cut may have gone through an address; what stands before its @ must not survive.
        head = head.rpartition(" ")[0]
    head = _CONTROL.sub(" ", head)
    if "@" in head:
        head = _ADDRESS.sub("<address>", head)
    return head[:_MOST_TEXT].strip()


def _senseless(phase: Phase, told: _Told) -> Outcome:
    if phase == "body":
        return Unconfirmed(phase="data", code=told.code, message=told.message)
    if phase in ("connect", "helo"):
        return Misconfigured(
            detail="the server does not answer like an SMTP server", code=told.code, message=told.message
        )
    return Deferred(cause="broken_dialogue", code=told.code, message=told.message)


def _outcome(row: Row, told: _Told, phase: Phase) -> Outcome:
    match row.outcome:
        case "deferred":
            return Deferred(cause=row.reason, code=told.code, message=told.message)
        case "throttled":
            return Throttled(scope=row.scope, code=told.code, message=told.message)
        case "misconfigured":
            return Misconfigured(detail=row.reason, code=told.code, message=told.message)
        case "rejected-address":
            suppress = row.suppress if phase in _OF_RECIPIENT else None
            return Rejected(reason=row.reason, scope="address", code=told.code, message=told.message, suppress=suppress)
        case "rejected-message":
            return Rejected(reason=row.reason, scope="message", code=told.code, message=told.message)
        case _:
            return Rejected(reason=row.reason, scope="route", code=told.code, message=told.message)


def _matches(pattern: str, status: str) -> bool:
    return status.startswith(pattern[:-1]) if pattern.endswith("*") else status == pattern


def _row(raw: Mapping[str, Any]) -> Row:
    codes = raw["codes"]
    return Row(
        codes=frozenset(code for code in codes if isinstance(code, int)),
        classes=frozenset(int(code[0]) for code in codes if isinstance(code, str)),
        status=tuple(raw.get("status", ())),
        text=tuple(raw.get("text", ())),
        phases=frozenset(raw.get("phases", ())),
        outcome=raw["outcome"],
        reason=raw["reason"],
        scope=raw.get("scope"),
        suppress=raw.get("suppress"),
    )
