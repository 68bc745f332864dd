"""What a server may do wrong, as data, and when it does. Pure: it decides, the conversation acts."""

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Literal, get_args

import msgspec

from simulators.faults import Rule, Rules

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


class Faults(Rules[Fault]):
    """The rules in force. A rule that greylists is used up for each recipient apart."""

    def __init__(self, builtin: Sequence[Fault] = ()) -> None:
        # Of each rule, by its identity, and each recipient.
        self._tries: Counter[tuple[int, str]] = Counter()
        super().__init__(builtin)

    def reset(self) -> None:
        """Go back to the built-in rules, as if none had ever happened."""
        self._tries.clear()
        super().reset()

    def at(self, phase: Phase, recipients: Sequence[str] = ()) -> Fault | None:
        """Return the fault that happens at this step of a mail to these recipients, counted, or None."""
        known = ("",) if phase in _BEFORE_RECIPIENTS else recipients
        for rule in self:
            if rule.fault.phase == phase and self._apply(rule, known):
                return rule.fault
        return None

    def _apply(self, rule: Rule[Fault], recipients: Sequence[str]) -> bool:
        """Return whether the fault happens now, to one of these recipients; if so, count it."""
        target = next((each for each in recipients if self._is_due(rule, each)), None)
        if target is None:
            return False
        rule.applied += 1
        if rule.fault.greylist:
            self._tries[id(rule), target.lower()] += 1
        return True

    def _is_due(self, rule: Rule[Fault], recipient: str) -> bool:
        if not rule.fault.meets(recipient):
            return False
        if rule.fault.greylist:
            return self._tries[id(rule), recipient.lower()] < (rule.fault.times or 1)
        return not rule.used_up
