"""What the suite knows of a provider: what to have its peer do, and what the provider is to make of it."""

import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Any, Protocol

import trustme

from tocsin.outcome import Misconfigured, Outcome

Sections = dict[str, dict[str, Any]]


class Answer(Enum):
    """What the peer does with a message."""

    TAKEN = auto()
    # It refuses: the address, the message, who we are, how fast we are.
    NO_SUCH_ADDRESS = auto()
    BAD_MESSAGE = auto()
    WRONG_SECRET = auto()
    TOO_FAST = auto()
    # It cannot do its work at the moment.
    BUSY = auto()
    # Words that say nothing, where it would say that it has taken the message; and what is not of its protocol at all.
    NONSENSE = auto()
    GARBAGE = auto()
    # The message is there, and then: the connection is cut, nothing is said, or only once it is told to (`release`).
    CUT = auto()
    SILENCE = auto()
    HELD = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as it reached the peer. `login` is how a connection proved us, where it is the connection that does."""

    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    login: str = ""


class Peer(Protocol):
    """A provider's counterpart on loopback. Answers that were given with `next` come in order, then it takes all."""

    port: int

    @property
    def sent(self) -> Sequence[Sent]:
        """The messages that reached it, whatever became of them, in order."""

    @property
    def connections(self) -> int:
        """How many connections were made."""

    @property
    def open(self) -> int:
        """How many are open."""

    @property
    def holds(self) -> bool:
        """Whether it holds a message back that is there, whole."""

    def next(self, answer: Answer) -> None:
        """Have it do this with a message to come."""

    def release(self) -> None:
        """Take the messages that are held."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an answer comes to. `members` are those of the outcome that have to be so.

    `sends` messages reach the peer for it, and the claim is awaited `claims` times.
    """

    kind: type[Outcome]
    members: Mapping[str, Any] = field(default_factory=dict)
    sends: int = 1
    claims: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One provider. `serving` runs its peer; `settings` are those that send to a port with the secret in a file.

    `secrets` returns two contents of that file, and `proves` says whether a message was sent with the one given.
    `taken` is what the peer calls the message that it took as its n-th, from 1. `address` gets the port, too.
    `untrusted` is what it comes to that the peer's certificate cannot be trusted.
    """

    name: str
    channel: str
    serving: Callable[[ssl.SSLContext], AbstractAsyncContextManager[Peer]]
    settings: Callable[[int, Path], Sections]
    secrets: Callable[[], tuple[str, str]]
    proves: Callable[[Sent, str], bool]
    taken: Callable[[int], str]
    address: Callable[[int], str]
    content: Mapping[str, Any]
    expected: Mapping[Answer, Expected]
    untrusted: type[Outcome] = Misconfigured


class Authority:
    """A CA that the process trusts, and the certificates of a server: one of it, or one of nobody's."""

    def __init__(self, folder: Path) -> None:
        self._ours = trustme.CA()
        self._foreign = trustme.CA()
        self.file = folder / "ca.pem"
        self._ours.cert_pem.write_to_path(str(self.file))
        self.foreign_file = folder / "foreign.pem"
        self._foreign.cert_pem.write_to_path(str(self.foreign_file))
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.trust(trusted=True)

    def trust(self, *, trusted: bool) -> None:
        """Have the server show a certificate that is trusted, or not, to who connects from now on."""
        authority = self._ours if trusted else self._foreign
        authority.issue_cert("127.0.0.1").configure_cert(self.context)
