"""The exception tree. Expected results of a delivery are values (`outcome`); an exception is a bug or infrastructure.

TocsinError
├── SettingsError        a setting is wrong; the message says which, where, and what to write instead
├── LogError             the event log
│   ├── LogLocked        another process holds the data directory
│   ├── LogUnavailable   a write could not be made durable (disk full, closed); nothing of it was acknowledged
│   ├── LogFull          the size cap is reached; intake is refused until retention frees room
│   ├── CommitFenced     the partition is no longer assigned to this subscription
│   └── TopicMismatch    a topic is missing or not as specified
├── StoreUnavailable     the SQL store cannot be reached or cannot keep what was written
├── TemplateError        a template is broken; raised when templates are loaded
└── NotClaimed           an attempt may not be made; passes through `Provider.send` untouched
"""


class TocsinError(Exception):
    """Base of every error that Tocsin raises on purpose."""


class SettingsError(TocsinError):
    """A setting is wrong. The message names the key, its source and the mend."""


class LogError(TocsinError):
    """Base of the event log's errors."""


class LogLocked(LogError):
    """Another process holds the data directory. The message names it."""


class LogUnavailable(LogError):
    """The log could not make a write durable. Nothing of that write was acknowledged or kept."""


class LogFull(LogError):
    """The log has reached its size cap: intake is refused, what was accepted still moves."""


class CommitFenced(LogError):
    """The partition is not, or no longer, assigned to this subscription: somebody else owns it."""


class TopicMismatch(LogError):
    """A topic is missing, or its partitions or retention are not as specified."""


class StoreUnavailable(TocsinError):
    """The SQL store cannot be reached, or cannot keep what was written."""


class TemplateError(TocsinError):
    """A template is broken. The message names the file, and the line where there is one."""


class NotClaimed(TocsinError):
    """The attempt may not be made: it was settled before, or another record owns it.

    Raised by the `claim` that a provider awaits; a provider lets it pass.
    """
