"""What a provider may do wrong, as data. Pure: it says, the provider's routes act."""

from fnmatch import fnmatchcase

import msgspec

from simulators import faults


class Receipt(msgspec.Struct, frozen=True, kw_only=True):
    """A callback: the provider's status of the text, and its code of a failure."""

    status: str
    code: int | None = None


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, for whom, and how often.

    `recipients` is a glob pattern or a number (E.164), or several of them. `status` refuses with this HTTP status and
    `code`, the provider's; with `code` alone the provider's usual status is taken. `retry_after_as_date` says
    `retry_after_seconds` as a date. `partly` refuses all parts of a text but the first. `drop` takes the text and cuts
    the connection before the answer is whole. `delay_seconds` comes first. `receipts` are sent in place of the usual
    ones, in this order, for a text that was taken. `times` is how often it happens; none is for ever.
    """

    recipients: str | tuple[str, ...] = "*"
    status: int | None = None
    code: int | None = None
    text: str = ""
    retry_after_seconds: int | None = None
    retry_after_as_date: bool = False
    partly: bool = False
    drop: bool = False
    delay_seconds: float = 0.0
    receipts: tuple[Receipt, ...] | None = None
    times: int | None = None

    def __post_init__(self) -> None:
        if self.refuses and self.drop:
            raise ValueError("choose one of a refusal (`status`, `code`) and `drop`")
        if not (self.refuses or self.drop or self.delay_seconds or self.receipts is not None):
            raise ValueError("choose one of `status`, `code`, `drop`, `delay_seconds` and `receipts`")

    @property
    def refuses(self) -> bool:
        """Whether the text, or a part of it, is not taken."""
        return self.status is not None or self.code is not None

    @property
    def patterns(self) -> tuple[str, ...]:
        """Whom it meets: globs and numbers."""
        return (self.recipients,) if isinstance(self.recipients, str) else self.recipients

    def meets(self, recipient: str) -> bool:
        """Return whether it is meant for this number."""
        return any(fnmatchcase(recipient, wanted) for wanted in self.patterns)


Faults = faults.Faults[Fault]
