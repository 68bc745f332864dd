"""What a provider's code means, by its table: in the answer to a call, and in a receipt.

`[[answer]]` rows make outcomes; `[[receipt]]` rows say what a receipt's code tells of the number. What leaves this
module as text is cut, and has no number in it.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import resources
from typing import Any, Literal

from tocsin.observe import redaction
from tocsin.outcome import Deferred, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

Suppress = Literal["opt_out", "hard_bounce"]

_MOST_TEXT = 512
# Providers name numbers with and without +, and in groups; an error code has five digits.
_NUMBER = re.compile(r"\+?\d(?:[ ().\-\u00a0]{0,2}\d){6,}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRow:
    """What a code in an answer means. `scope` is that of a throttled call."""

    outcome: str
    reason: str
    scope: Any = None
    suppress: Suppress | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptRow:
    """What a code in a receipt means. With `suppress` the number is not to be used again; with `scope` the provider, or
    its way to the carrier, is at fault."""

    reason: str
    scope: Literal["route"] | None = None
    suppress: Suppress | None = None


class Table:
    """The codes of one provider. Made once from `load`."""

    def __init__(self, answers: Mapping[str, AnswerRow], receipts: Mapping[str, ReceiptRow]) -> None:
        self.answers = answers
        self.receipts = receipts

    def outcome(self, code: str, text: str, *, told: str, retry_after: timedelta | None = None) -> Outcome | None:
        """Return what a code in an answer means, None if the table does not know it.

        `told` is what the outcome repeats as the code; `text` is the provider's, as it is.
        """
        row = self.answers.get(code)
        if row is None:
            return None
        message = redacted(text)
        match row.outcome:
            case "deferred":
                return Deferred(cause=row.reason, retry_after=retry_after, code=told, message=message)
            case "throttled":
                return Throttled(scope=row.scope, retry_after=retry_after, code=told, message=message)
            case "misconfigured":
                return Misconfigured(detail=row.reason, code=told, message=message)
            case "unconfirmed":
                return Unconfirmed(phase=row.reason, code=told, message=message)
            case _:
                scope: Any = row.outcome.removeprefix("rejected-")
                return Rejected(reason=row.reason, scope=scope, code=told, message=message, suppress=row.suppress)


def load(file: str) -> Table:
    """Read a table that is shipped with this package. Raises KeyError, TypeError or ValueError if it is wrong."""
    text = resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
    document = tomllib.loads(text)
    answers = [(str(row.pop("code")), AnswerRow(**row)) for row in document["answer"]]
    receipts = [(str(row.pop("code")), ReceiptRow(**row)) for row in document["receipt"]]
    for rows in (answers, receipts):
        if len({code for code, _ in rows}) < len(rows):
            raise ValueError(f"{file} has a code twice")
    return Table(dict(answers), dict(receipts))


def redacted(text: str) -> str:
    """Return at most 512 characters of a provider's text, on one line, without numbers, addresses and secrets."""
    line = " ".join(text.split())
    return redaction.text(_NUMBER.sub(redaction.MASK, line), limit=_MOST_TEXT - 1)
