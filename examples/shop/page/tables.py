"""The table of the page: the newest of what happened, numbered in the order in which the page heard of it."""

from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table, Text

from examples.shop.kit.tables import NUMBER

METADATA = MetaData()

# `key` is the source and id of the event, so what is read twice is kept once. `body` is JSON, as the browser gets it.
feed = Table(
    "feed",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("key", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("notification_id", Text, index=True),
    Column("delivery_id", Text, index=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # A number is never given again, so that no browser misses what came after the one it saw last.
    sqlite_autoincrement=True,
)
