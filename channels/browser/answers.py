"""An answer of a push service → the outcome of the attempt."""

from collections.abc import Callable
from datetime import datetime, timedelta

from channels.browser.codes import Row, Table, redacted
from channels.browser.message import WebPush
from channels.browser.standing import Standing
from tocsin.net.http import Answer
from tocsin.net.retry_after import retry_after
from tocsin.outcome import Deferred, Delivered, Misconfigured, Outcome, Rejected, Throttled, Unconfirmed

_REFUSED = range(400, 500)
_FAILED = range(500, 600)
_MOST_ID = 256


class Reader:
    """Reads answers. `on_unmapped` gets each status that the table of codes does not know."""

    def __init__(
        self, table: Table, standing: Standing, *, now: Callable[[], datetime], on_unmapped: Callable[[str], None]
    ) -> None:
        self._table = table
        self._standing = standing
        self._now = now
        self._on_unmapped = on_unmapped

    def outcome(self, answer: Answer, message: WebPush, key_id: str) -> Outcome:
        """Return what the answer to a message means, which was signed with the key of this id."""
        code, text = str(answer.status), redacted(answer.body)
        row = self._table.row(answer.status, answer.body)
        if row is None:
            self._on_unmapped(code)
            return self._unmapped(answer, code, text)
        match row.outcome:
            case "delivered":
                self._standing.accepted(key_id)
                return Delivered(provider_id=_location(answer, message), code=code)
            case "credentials":
                return self._credentials(row, message, key_id, code, text)
            case "rejected-address":
                return Rejected(reason=row.reason, scope="address", code=code, message=text, suppress=row.suppress)
            case "rejected-message":
                return Rejected(reason=row.reason, scope="message", code=code, message=text)
            case _:
                return self._later(row, answer, code, text)

    def _unmapped(self, answer: Answer, code: str, text: str) -> Outcome:
        """Return the conservative class. A refusal was not taken, nor was what is asked for again; else who knows."""
        wait = self._wait(answer)
        if answer.status in _REFUSED or (answer.status in _FAILED and wait is not None):
            return Deferred(cause="unmapped", retry_after=wait, code=code, message=text)
        return Unconfirmed(phase="answer", code=code, message=text)

    def _later(self, row: Row, answer: Answer, code: str, text: str) -> Outcome:
        wait = self._wait(answer)
        if row.outcome == "throttled":
            # Of this browser only: were it told of the account, one endpoint could hold up everybody's.
            return Throttled(scope="recipient", retry_after=wait, code=code, message=text)
        if row.outcome == "unconfirmed":
            return Unconfirmed(phase=row.reason, code=code, message=text)
        return Deferred(cause=row.reason, retry_after=wait, code=code, message=text)

    def _credentials(self, row: Row, message: WebPush, key_id: str, code: str, text: str) -> Outcome:
        """Tell one subscription that does not fit our key from a key that does not fit at all.

        The first is that subscription's end, the second nobody's: messages wait until the key is mended. A stranger
        may have made the subscription, so one alone must not close the route to all others.
        """
        if self._standing.good(key_id):
            return Rejected(reason=row.reason, scope="address", code=code, message=text)
        if self._standing.refused(key_id, message.subscription.endpoint):
            return Misconfigured(detail=row.reason, code=code, message=text)
        return Deferred(cause=row.reason, code=code, message=text)

    def _wait(self, answer: Answer) -> timedelta | None:
        return retry_after(answer.headers.get("retry-after"), self._now())


def _location(answer: Answer, message: WebPush) -> str | None:
    """Return the push service's name of the message, unless it holds the endpoint, which is a secret."""
    found = answer.headers.get("location")
    endpoint = message.subscription.endpoint
    return found[:_MOST_ID] if found and endpoint not in found and found not in endpoint else None
