"""The claim of one attempt, as its providers await it: one claim, however many of them are tried.

What has to wait for the ledger past the attempt's deadline is no attempt: nothing has left, and nobody is to blame.
"""

from collections.abc import Callable

from tocsin.deadletter import Reason
from tocsin.errors import NotClaimed
from tocsin.ledger.port import AttemptKey, Granted, Ledger
from tocsin.record import Source

# Takeovers of one attempt's claim after which the process is taken to die of it.
_CRASH_LOOP = 3
# In place of a provider's name: it is claimed, and nothing of it has left.
NOBODY = ""


class AttemptClaim:
    """Fulfils `channels.provider.Claim`, and remembers what came of it. `deadline` is a time of `time`, the loop's.

    `provider` is the one that is being called; `asked` says that it wants the claim, `awaited` that it has it. `late`
    says that the claim was granted when the attempt was over: it is to be given back.
    """

    def __init__(
        self,
        ledger: Ledger,
        key: AttemptKey,
        source: Source,
        *,
        at_most_once: bool,
        deadline: float,
        time: Callable[[], float],
        claimed: dict[Source, str],
    ) -> None:
        self._claimed = claimed
        self._ledger = ledger
        self._key = key
        self._source = source
        self._at_most_once = at_most_once
        self._time = time
        self.deadline = deadline
        self.provider = ""
        self.asked = self.awaited = self.late = False
        self.granted: Granted | None = None
        self.giving_up: Reason | None = None

    @property
    def left(self) -> float:
        """How many seconds the attempt has left."""
        return self.deadline - self._time()

    def pass_to(self, provider: str) -> None:
        """Have the provider that is called next ask for it. Whoever was called before has surely not taken anything."""
        self.provider = provider
        self.asked = self.awaited = False
        if self.granted is not None:
            self._claimed[self._source] = NOBODY

    async def __call__(self) -> None:
        """Raises NotClaimed."""
        self.asked = True
        if self.granted is None:
            await self._get()
        else:
            self._claimed[self._source] = self.provider
        self.awaited = True

    async def _get(self) -> None:
        answer = await self._ledger.claim(self._key, self._source, durable=self._at_most_once)
        if not isinstance(answer, Granted):
            raise NotClaimed
        self.granted = answer
        self._claimed[self._source] = self.provider
        if answer.takeovers and self._at_most_once:
            self.giving_up = Reason.OUTCOME_UNKNOWN
        elif answer.takeovers >= _CRASH_LOOP:
            self.giving_up = Reason.CRASH_LOOP
        self.late = self.left <= 0
        if self.late:
            self._claimed[self._source] = NOBODY
        if self.late or self.giving_up is not None:
            raise NotClaimed
