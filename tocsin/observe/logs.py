"""Log lines: configured once, by the host. Everything, the standard library's loggers included, goes through here.

Write `logger.info("attempt_failed", delivery=…, provider=…)` with loguru: the event is a snake_case verb, all else is
a field. A patcher redacts message, fields and exceptions before any sink sees them. JSON lines have the flat keys
`time`, `level`, `event`, `logger`, then the fields; a field of one of those names gets an underscore behind it.
"""

import logging
import traceback
from typing import TYPE_CHECKING, Any, Literal, TextIO

import msgspec
from loguru import logger

from tocsin.clock import rfc3339
from tocsin.observe import redaction
from tocsin.observe.fields import redacted

if TYPE_CHECKING:
    from loguru import Message, Record

_KEYS = ("time", "level", "event", "logger", "traceback")
_FRAMES = 16
_MAX_TRACEBACK = 16_000

# These tell of every request or query at INFO, which metrics do better.
_CHATTY = (
    "uvicorn",
    "httpx",
    "httpcore",
    "aiosmtpd",
    "mail.log",
    "sqlalchemy",
    "alembic",
    "aiosqlite",
    "aiokafka",
)

# Without these, and in one line, no text can pretend to be another line or move the cursor of a terminal.
_CONTROL = {code: f"\\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))}
_CONTROL_BUT_LINES = {code: text for code, text in _CONTROL.items() if code not in (0x09, 0x0A)}
_COLOURS = {"DEBUG": 2, "WARNING": 33, "ERROR": 31, "CRITICAL": 31}


def configure(*, level: str, format: Literal["auto", "pretty", "json"], stream: TextIO) -> None:  # noqa: A002
    """Send all log lines of at least `level` to `stream`, and nowhere else. To be called once, by the host.

    `auto` is pretty on a terminal and JSON elsewhere.
    """
    terminal = stream.isatty()
    pretty = format == "pretty" or (format == "auto" and terminal)

    def write(message: "Message") -> None:
        record = message.record
        stream.write(_pretty(record, colour=terminal) if pretty else _json(record))
        stream.flush()

    logger.remove()
    logger.configure(patcher=_redact)
    logger.add(write, level=level, format="{message}", colorize=False, backtrace=False, diagnose=False)
    _route_standard_library(level)


def _redact(record: "Record") -> None:
    """Make a record fit to be written. The exception becomes text here, so that no sink formats it itself."""
    record["message"] = redaction.text(record["message"])
    extra = redacted(record["extra"])
    if (exception := record["exception"]) is not None:
        lines = traceback.format_exception(exception.type, exception.value, exception.traceback, limit=-_FRAMES)
        extra["traceback"] = redaction.text("".join(lines), limit=_MAX_TRACEBACK)
        record["exception"] = None
    record["extra"] = extra


def _fields(record: "Record") -> dict[str, Any]:
    """Return the fields under names that no key of the line has."""
    extra = {name: value for name, value in record["extra"].items() if name not in ("logger", "traceback")}
    return {f"{name}_" if name in _KEYS else name: value for name, value in extra.items()}


def _json(record: "Record") -> str:
    line = {
        "time": rfc3339(record["time"]),
        "level": record["level"].name.lower(),
        "event": record["message"],
        "logger": record["extra"].get("logger", record["name"]),
        **_fields(record),
    }
    if "traceback" in record["extra"]:
        line["traceback"] = record["extra"]["traceback"]
    return msgspec.json.encode(line).decode() + "\n"


def _pretty(record: "Record", *, colour: bool) -> str:
    level = record["level"].name
    pairs = "  ".join(f"{name}={_shown(value)}" for name, value in _fields(record).items())
    head = f"{record['time']:%H:%M:%S} {level:<7} "
    if colour and level in _COLOURS:
        head = f"\x1b[{_COLOURS[level]}m{head}\x1b[0m"
    line = head + f"{record['message'].translate(_CONTROL)}  {pairs.translate(_CONTROL)}".rstrip() + "\n"
    told = record["extra"].get("traceback")
    return line if told is None else line + str(told).translate(_CONTROL_BUT_LINES).rstrip("\n") + "\n"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) and value and " " not in value else msgspec.json.encode(value).decode()


class _ToLoguru(logging.Handler):
    """Hands records of the standard library's loggers on, with their name as a field."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            level: str | int = logger.level(record.levelname).name
        except ValueError:
            level = record.levelno
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 -- arguments that do not fit the format are somebody else's bug
            message = str(record.msg)
        exception = record.exc_info or None
        logger.opt(exception=exception).bind(logger=record.name).log(level, "{}", message)


def _route_standard_library(level: str) -> None:
    logging.basicConfig(handlers=[_ToLoguru()], level=level, force=True)
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
