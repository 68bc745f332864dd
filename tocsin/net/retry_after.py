"""`Retry-After` (RFC 9110, section 10.2.3): how long an answer asks to wait. Pure; what is foreign never raises."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_MOST = timedelta(seconds=10**8)
_MOST_DIGITS = 12


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """Return what the header asks for, in seconds or as a date: from nothing to some three years.

    None if there is no header, or it cannot be read.
    """
    stripped = "" if text is None else text.strip()
    if stripped.isascii() and stripped.isdecimal():
        return min(timedelta(seconds=int(stripped[:_MOST_DIGITS])), _MOST)
    try:
        moment = parsedate_to_datetime(stripped)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        return min(max(moment - now, timedelta()), _MOST)
    except (ValueError, OverflowError, TypeError):
        # The library reads years and zones of any length, and then cannot hold them.
        return None
