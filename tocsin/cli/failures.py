"""What ends a command with something other than success, and the exit code that says so.

TocsinError
├── SettingsError     exit 2
├── CommandFailed     exit 1: it was tried and did not work
│   ├── Refused       the gateway answered, and the answer is no
│   ├── Misused       exit 2: the command line itself is wrong
│   └── Unreachable   exit 3: no gateway there
│       └── Unanswered   a request went out and no answer came: it may have had its effect
└── anything else     exit 1
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from tocsin.errors import SettingsError, TocsinError


class CommandFailed(TocsinError):
    """It was tried and did not work."""

    exit_code: ClassVar[int] = 1


class Refused(CommandFailed):
    """The gateway said no. `problem` are the members of its answer (RFC 9457), empty where it sent none."""

    def __init__(self, message: str, *, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.status = status
        self.problem = problem


class Misused(CommandFailed):
    """The command line is wrong; the message says what to write instead."""

    exit_code: ClassVar[int] = 2


class Unreachable(CommandFailed):
    """There is no gateway at the URL, or no way to it."""

    exit_code: ClassVar[int] = 3


class Unanswered(Unreachable):
    """A request went out and no answer came back: it may have had its effect."""


def exit_code(error: TocsinError) -> int:
    """Return the exit code of a command that ends with this error."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    return Misused.exit_code if isinstance(error, SettingsError) else CommandFailed.exit_code
