"""What was received: the newest mails, bounded in number and in bytes, and counts that forget nothing.

Used from one event loop. Nothing is parsed on arrival: most mails of a load test are never looked at.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

from simulators.smtp.reading import storable


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """One accepted message. `id` counts up from 1; `mail_from` is empty for a bounce."""

    id: int
    at: datetime
    mail_from: str = field(repr=False)
    recipients: tuple[str, ...] = field(repr=False)
    raw: bytes = field(repr=False)

    @property
    def size(self) -> int:
        """Bytes of the source."""
        return len(self.raw)


class Mailbox:
    """The mails of every recipient. `now` says when one arrives."""

    def __init__(self, *, now: Callable[[], datetime], max_mails: int = 10_000, max_bytes: int = 64 * 2**20) -> None:
        self._now = now
        self._max_mails = max_mails
        self._max_bytes = max_bytes
        self._mails: OrderedDict[int, Mail] = OrderedDict()
        self._bytes = 0
        self._last_id = 0
        self._total = 0
        self._by_recipient: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many mails were received, those included that are no longer kept."""
        return self._total

    @property
    def kept(self) -> int:
        """How many mails can still be read."""
        return len(self._mails)

    @property
    def by_recipient(self) -> Mapping[str, int]:
        """How many mails each recipient received: one mail to two recipients counts for both."""
        return MappingProxyType(self._by_recipient)

    def receive(self, *, mail_from: str, recipients: Sequence[str], raw: bytes) -> Mail:
        """Keep and count a mail; the oldest make room for it. The newest is kept whatever its size."""
        self._last_id += 1
        mail = Mail(
            id=self._last_id,
            at=self._now(),
            mail_from=storable(mail_from),
            recipients=tuple(dict.fromkeys(map(storable, recipients))),
            raw=raw,
        )
        self._mails[mail.id] = mail
        self._bytes += mail.size
        self._total += 1
        self._by_recipient.update(mail.recipients)
        self._make_room()
        return mail

    def newest(self, *, recipient: str | None = None) -> Iterator[Mail]:
        """Iterate over the mails that are kept, the newest first, of one recipient or of all."""
        wanted = None if recipient is None else recipient.lower()
        for mail in reversed(self._mails.values()):
            if wanted is None or any(each.lower() == wanted for each in mail.recipients):
                yield mail

    def get(self, mail_id: int) -> Mail | None:
        """Return a mail, or None if it never was or is no longer kept."""
        return self._mails.get(mail_id)

    def clear(self) -> None:
        """Forget every mail and every count. Ids go on, so that an old link never shows another mail."""
        self._mails.clear()
        self._bytes = 0
        self._total = 0
        self._by_recipient.clear()

    def _make_room(self) -> None:
        while len(self._mails) > self._max_mails or (self._bytes > self._max_bytes and len(self._mails) > 1):
            _, oldest = self._mails.popitem(last=False)
            self._bytes -= oldest.size
