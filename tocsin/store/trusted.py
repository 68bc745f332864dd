"""Which pooled connections are used untried: those that were in use a moment ago.

To try a connection takes as many ways to the server and back as a short transaction does. One that the server has
closed is known to be closed without asking, so asking finds only what went silently. What goes within the moment costs
the transaction that meets it, as what goes in the middle of one does.
"""

import time
from datetime import timedelta
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine

_USED_AT = "tocsin.used_at"


def watch(engine: AsyncEngine, *, untried: timedelta) -> None:
    """Have connections tried before they are used, but for those that were used so short a time ago.

    Where one is found broken, all that are no younger are thrown away with it, and a new one is made.
    """
    dialect: Any = engine.dialect
    seconds = untried.total_seconds()

    def used(_connection: Any, record: Any) -> None:
        record.info[_USED_AT] = time.monotonic()

    def tried(connection: Any, record: Any, _fairy: Any) -> None:
        used_at = record.info.get(_USED_AT)
        if used_at is None:
            return  # it was made just now
        if connection.driver_connection.is_closed():
            raise InvalidatePoolError
        if time.monotonic() - used_at < seconds:
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if dialect.is_disconnect(error, connection, None):
                raise InvalidatePoolError from error
            raise

    event.listen(engine.sync_engine, "checkin", used)
    event.listen(engine.sync_engine, "checkout", tried)
