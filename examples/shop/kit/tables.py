"""The tables that every service has beside its own: what it has to tell, what it has heard, and how far it has read."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

METADATA = MetaData()

# SQLite numbers rows by itself only where the column is an INTEGER.
NUMBER = BigInteger().with_variant(Integer, "sqlite")

_UNPUBLISHED = text("published_at_ms IS NULL")

# Whose database it is. Who holds the row's lock has the turn to publish.
owner = Table("owner", METADATA, Column("service", Text, primary_key=True))

outbox = Table(
    "outbox",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("published_at_ms", BigInteger, index=True),
    Index("outbox_unpublished", "number", sqlite_where=_UNPUBLISHED, postgresql_where=_UNPUBLISHED),
)

# The events that were taken, by source and id (CloudEvents 1.0.2, 3.1.1: the two together are unique).
inbox = Table(
    "inbox",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("event_id", Text, primary_key=True),
    Column("taken_at_ms", BigInteger, nullable=False, index=True),
)

# The events that came before their step.
waiting = Table(
    "waiting",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("subject", Text, nullable=False, index=True),
    Column("event", LargeBinary, nullable=False),
)

offsets = Table(
    "offsets",
    METADATA,
    Column("reader", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition_index", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)

# What could not be read or taken, as it came.
unreadable = Table(
    "unreadable",
    METADATA,
    Column("reader", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition_index", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)
