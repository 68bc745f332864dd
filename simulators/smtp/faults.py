"""What a server may do wrong, as data, and the rules in force. Pure: it decides, the conversation acts.

The first rule that fits wins, and a rule that is used up fits no longer. Rules that were added come before the
built-in ones, in the order in which they were added.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Literal, get_args

import msgspec

Phase = Literal["connect", "mail", "rcpt", "data", "body"]
PHASES: tuple[Phase, ...] = get_args(Phase)

_BEFORE_RECIPIENTS = frozenset({"connect", "mail"})


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """A negative SMTP reply. `enhanced` is its status of RFC 3463."""

    code: int
    enhanced: str
    text: str

    def __post_init__(self) -> None:
        if self.enhanced[:1] != str(self.code)[:1]:
            raise ValueError(f"an enhanced status of a {self.code} begins with {str(self.code)[:1]}")

    @property
    def line(self) -> str:
        """The reply as it goes over the wire, without its line end."""
        return f"{self.code} {self.enhanced} {self.text}"


GREYLISTED = Reply(code=451, enhanced="4.7.1", text="Greylisted, try again later")


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong, for whom, and how often.

    `recipients` is a glob pattern or an address, or several of them; case does not matter. `phase` is the step that
    fails: `connect` before the greeting, `body` after the final dot. `reply` refuses; `drop` closes the socket without
    an answer; `greylist` answers 451 to the first `times` tries (1) of each recipient. `delay_seconds` comes first and
    may stand alone. Without a refusal a message counts as accepted: after a `drop` or a delay at `body` it is recorded,
    whether or not the client waited for the answer. `times` is how often the fault happens; none is for ever.
    """

    phase: Phase
    recipients: str | tuple[str, ...] = "*"
    reply: Reply | None = None
    delay_seconds: float = 0.0
    drop: bool = False
    greylist: bool = False
    times: int | None = None

    def __post_init__(self) -> None:
        chosen = (self.reply is not None) + self.drop + self.greylist
        if chosen > 1:
            raise ValueError("choose one of `reply`, `drop` and `greylist`")
        if not chosen and not self.delay_seconds:
            raise ValueError("choose one of `reply`, `drop`, `greylist`, or give a `delay_seconds`")
        if self.phase in _BEFORE_RECIPIENTS and (self.greylist or self.patterns != ("*",)):
            raise ValueError(f"no recipient is known at `{self.phase}`: leave out `recipients` and `greylist`")

    @property
    def patterns(self) -> tuple[str, ...]:
        """Whom it meets: globs and addresses."""
        return (self.recipients,) if isinstance(self.recipients, str) else self.recipients

    @property
    def refusal(self) -> Reply | None:
        """The reply that refuses, or None where the fault does not refuse."""
        return GREYLISTED if self.greylist else self.reply

    def meets(self, recipient: str) -> bool:
        """Return whether the fault is meant for this recipient."""
        address = recipient.lower()
        # The comparison comes first because an address may hold a glob's characters: someone@[127.0.0.1].
        return any(address == wanted or fnmatchcase(address, wanted) for wanted in map(str.lower, self.patterns))


@dataclass(slots=True, kw_only=True)
class Rule:
    """A fault in force, and how often it happened."""

    fault: Fault
    builtin: bool
    applied: int = 0
    _tries: Counter[str] = field(default_factory=Counter, repr=False)

    def apply(self, recipients: Sequence[str]) -> bool:
        """Return whether the fault happens now, to one of these recipients; if so, count it."""
        if self.fault.phase in _BEFORE_RECIPIENTS:
            recipients = ("",)
        target = next((each for each in recipients if self._is_due(each)), None)
        if target is None:
            return False
        self.applied += 1
        if self.fault.greylist:
            self._tries[target.lower()] += 1
        return True

    def _is_due(self, recipient: str) -> bool:
        if not self.fault.meets(recipient):
            return False
        if self.fault.greylist:
            return self._tries[recipient.lower()] < (self.fault.times or 1)
        return self.fault.times is None or self.applied < self.fault.times


class Faults:
    """The rules in force. Made with the built-in ones, which `reset` brings back, unused."""

    def __init__(self, builtin: Sequence[Fault] = ()) -> None:
        self._builtin = tuple(builtin)
        self._added: list[Rule] = []
        self._standing: list[Rule] = []
        self.reset()

    def __iter__(self) -> Iterator[Rule]:
        yield from self._added
        yield from self._standing

    def add(self, fault: Fault) -> Rule:
        """Put a fault in force, after those added before it and ahead of the built-in ones."""
        rule = Rule(fault=fault, builtin=False)
        self._added.append(rule)
        return rule

    def reset(self) -> None:
        """Go back to the built-in rules, as if none had ever happened."""
        self._added.clear()
        self._standing = [Rule(fault=fault, builtin=True) for fault in self._builtin]

    def at(self, phase: Phase, recipients: Sequence[str] = ()) -> Fault | None:
        """Return the fault that happens at this step of a mail to these recipients, counted, or None."""
        for rule in self:
            if rule.fault.phase == phase and rule.apply(recipients):
                return rule.fault
        return None
