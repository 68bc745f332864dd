"""What was received: the newest texts, bounded in number, and counts that forget nothing. Used from one event loop."""

from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """One text that was taken. `callback` is where receipts go, `reference` what they bring back."""

    id: int
    at: datetime
    provider_id: str
    sender: str = field(repr=False)
    recipient: str = field(repr=False)
    text: str = field(repr=False)
    callback: str = ""
    reference: str = ""


class Texts:
    """The texts of every number. `now` says when one arrives."""

    def __init__(self, *, now: Callable[[], datetime], max_texts: int = 10_000) -> None:
        self._now = now
        self._max_texts = max_texts
        self._texts: OrderedDict[int, Text] = OrderedDict()
        self._last_id = 0
        self._total = 0
        self._by_recipient: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many texts were taken, those included that are no longer kept."""
        return self._total

    @property
    def kept(self) -> int:
        """How many texts can still be read."""
        return len(self._texts)

    @property
    def by_recipient(self) -> Mapping[str, int]:
        """How many texts each number was sent."""
        return MappingProxyType(self._by_recipient)

    def next_number(self) -> int:
        """Return the number that the next text gets."""
        return self._last_id + 1

    def take(
        self, *, provider_id: str, sender: str, recipient: str, text: str, callback: str = "", reference: str = ""
    ) -> Text:
        """Keep and count a text; the oldest make room for it."""
        self._last_id += 1
        taken = Text(
            id=self._last_id,
            at=self._now(),
            provider_id=provider_id,
            sender=sender,
            recipient=recipient,
            text=text,
            callback=callback,
            reference=reference,
        )
        self._texts[taken.id] = taken
        self._total += 1
        self._by_recipient[recipient] += 1
        while len(self._texts) > self._max_texts:
            self._texts.popitem(last=False)
        return taken

    def newest(self, *, recipient: str | None = None) -> Iterator[Text]:
        """Iterate over the texts that are kept, the newest first, to one number or to all."""
        for text in reversed(self._texts.values()):
            if recipient is None or text.recipient == recipient:
                yield text

    def clear(self) -> None:
        """Forget every text and every count. Ids go on."""
        self._texts.clear()
        self._total = 0
        self._by_recipient.clear()
