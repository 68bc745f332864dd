"""The core's own tables. Each service keeps its own beside its code; one migration history makes them all.

Times are whole milliseconds since 1970, as in the hop headers: eight bytes that compare and index alike on every
database, and that no driver turns into local time.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

metadata = MetaData()

# Where each SQL sink stands in each partition: written in the transaction of the rows, so that the two never part.
consumer_offsets = Table(
    "consumer_offsets",
    metadata,
    Column("consumer_group", Text, primary_key=True),
    Column("topic", Text, primary_key=True),
    Column("partition_index", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Records that a sink could not turn into rows, as the bytes they are. `headers` is JSON: [[name, base64], …].
quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Text, primary_key=True),
    Column("sink", Text, nullable=False),
    Column("topic", Text, nullable=False),
    Column("partition", Integer, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("key", LargeBinary),
    Column("value", LargeBinary, nullable=False),
    Column("headers", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
)

# API keys by their hash; the key itself is shown once and kept nowhere. `scopes` is a list with spaces between; `mode`
# is `live` or `test`.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("revoked_at", BigInteger),
    Column("mode", Text, nullable=False, server_default="live"),
    Index("api_keys_by_hash", "hash", unique=True),
)

# Every version of a template that was ever loaded, because a record pins its own. `files` is JSON: {path: text}.
templates = Table(
    "templates",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("files", Text, nullable=False),
    Column("loaded_at", BigInteger, nullable=False),
)

# Addresses that nothing is sent to. What was lifted stays for a while, so that every process learns of it and that the
# same old bounce, read again, does not bring it back. `changed_at` is when the row was written, by the writer's clock.
# `category` is the one that is held back, null where all are; `address_id` is the same in all rows of an address, and
# the id of the one without a category. It is null where a process wrote the row that knows of no categories.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("lifted_at", BigInteger),
    Column("changed_at", BigInteger, nullable=False),
    Column("category", Text),
    Column("address_id", Text),
    Index("suppressions_newest", "tenant", "added_at", "id"),
    Index("suppressions_changed", "changed_at", "id"),
    Index("suppressions_of_address", "address_id"),
    Index("suppressions_of_reason", "tenant", "reason", "added_at", "id"),
    Index("suppressions_of_channel", "tenant", "channel", "added_at", "id"),
    Index(
        "suppressions_of_category",
        *("tenant", "category", "added_at", "id"),
        sqlite_where=text("category IS NOT NULL"),
        postgresql_where=text("category IS NOT NULL"),
    ),
    Index("suppressions_lifted", "lifted_at"),
    Index("suppressions_expiring", "expires_at"),
)
