"""From mail that came back to a receipt: whose mail it is about, and what became of that. Pure.

Whose it is, is only ever taken from a token that we signed; without one it stays unmatched, whatever else it says.
"""

from collections.abc import Iterable
from datetime import datetime

from channels.email.codes import Table
from channels.email.dsn import Recipient, StatusReport
from channels.email.feedback import FeedbackReport
from channels.email.receipts import IGNORED, UNMATCHED, Finding, Result, address_of, receipt, verdict
from channels.email.reference import Reference
from channels.email.report import Report, read
from channels.email.return_path import ReturnPaths

# RFC 3464, section 2.3.3. What is relayed or expanded went where nothing more is told.
_ACTIONS: dict[str, Result] = {"failed": "bounced", "delayed": "delayed", "delivered": "confirmed"}
# RFC 5965, section 7.3; "opt-out" is of its drafts, and still sent. The others are no word of the recipient.
_FEEDBACK: dict[str, Result] = {"abuse": "complained", "fraud": "complained", "opt-out": "opted_out"}


class Bounces:
    """Reads what comes back. `table` says what codes mean."""

    def __init__(self, paths: ReturnPaths, table: Table) -> None:
        self.paths = paths
        self._table = table

    def reference(self, recipient: str) -> Reference | None:
        """Return whose return path this is, None if it is none of ours."""
        return self.paths.read(recipient)

    def read(self, raw: bytes, *, arrived_for: Reference | None = None, now: datetime) -> Finding:
        """Return what came of a message. `arrived_for` is the reference in the envelope, if somebody saw that."""
        report = read(raw)
        reference = arrived_for or self._reference(report)
        if reference is None or report.told is None:
            return UNMATCHED
        if isinstance(report.told, FeedbackReport):
            return _of_feedback(report, report.told, reference, now)
        return self._of_status(report, report.told, reference, now)

    def _reference(self, report: Report) -> Reference | None:
        return self._first(report.arrived_at) or self._told_of(report.told) or self._first(report.returned_to)

    def _told_of(self, told: StatusReport | FeedbackReport | None) -> Reference | None:
        found = None if told is None else self.paths.references.read(told.envelope_id)
        return self._first((told.mail_from,)) if found is None and isinstance(told, FeedbackReport) else found

    def _first(self, texts: Iterable[str]) -> Reference | None:
        return next((found for text in texts if (found := self.paths.read(text)) is not None), None)

    def _of_status(self, report: Report, told: StatusReport, reference: Reference, now: datetime) -> Finding:
        recipient = _ours(told, reference)
        result = _ACTIONS.get(recipient.action) if recipient is not None else None
        if recipient is None or result is None:
            return IGNORED
        found = verdict(recipient, self._table)
        event = receipt(
            result,
            reference,
            provider_id="",
            code=found.code,
            message=recipient.diagnostic,
            address=address_of(reference, report.addresses) if found.dead and result == "bounced" else None,
            blames_route=found.blames_route and result == "bounced",
            now=now,
        )
        return Finding(result, event, mapped=found.mapped or result != "bounced")


def _of_feedback(report: Report, told: FeedbackReport, reference: Reference, now: datetime) -> Finding:
    result = _FEEDBACK.get(told.kind)
    if result is None:
        return IGNORED
    event = receipt(
        result,
        reference,
        provider_id="",
        code=told.kind,
        message="",
        address=address_of(reference, report.addresses),
        now=now,
    )
    return Finding(result, event)


def _ours(told: StatusReport, reference: Reference) -> Recipient | None:
    """Return the recipient that we sent to, if it is told of; else the first that failed, or the first."""
    known = (each for each in told.recipients if address_of(reference, each.addresses) is not None)
    failed = (each for each in told.recipients if each.action == "failed")
    return next(known, None) or next(failed, None) or next(iter(told.recipients), None)
