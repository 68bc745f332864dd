"""Records that a sink could not turn into rows: kept as the bytes they are, with what was wrong."""

from datetime import datetime

import msgspec
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from tocsin import ids
from tocsin.clock import to_ms
from tocsin.record import Received
from tocsin.store import upsert
from tocsin.store.tables import quarantine

_PREFIX = "qrn_"
_MAX_ERROR = 512


async def keep(connection: AsyncConnection, received: Received, *, sink: str, error: Exception, at: datetime) -> None:
    """Keep a record that `sink` failed on. Keeping it twice is keeping it once."""
    row = {
        "id": ids.hashed(_PREFIX, sink, *map(str, received.source)),
        "sink": sink,
        "topic": received.topic,
        "partition": received.partition,
        "offset": received.offset,
        "key": received.key,
        "value": received.value,
        "headers": msgspec.json.encode(received.headers).decode(),
        "error": _told(error),
        "at": to_ms(at),
    }
    await connection.execute(upsert.insert(connection, quarantine).on_conflict_do_nothing(), row)


def _told(error: Exception) -> str:
    """Return the error's kind and text, which may quote the record: for this table, never for a log line."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    text = f"{type(cause).__name__}: {cause}"[:_MAX_ERROR]
    return text.encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
