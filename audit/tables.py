"""The audit in SQL. Every table can be written by any event first: there is no order to rely on, hence no foreign keys.

Times are whole milliseconds since 1970, as everywhere in the store. Ids begin with the time at which their
notification was made, so primary keys grow at one end, an id sorts as its time does, and "newest first" is an index
read backwards. The tables have no row ids: the primary key is the table, one tree less to write.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, text

metadata = MetaData()

# `state` sums up the latest lives of the deliveries (see `summary`). What the accepted event tells is null until it
# has come.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("recipient_id", Text),
    Column("locale", Text),
    Column("category", Text),
    Column("lane", Text),
    Column("template", Text),
    Column("template_version", Text),
    Column("channels", Text),
    Column("metadata", Text),
    Column("accepted_at", BigInteger),
    Column("expires_at", BigInteger),
    Column("test", Boolean),
    Index("notifications_newest", "tenant", "id"),
    Index("notifications_by_recipient", "tenant", "recipient_id", "id"),
    # Nearly all end as delivered, and are found without it; the rare states are few enough to be found through it.
    Index(
        "notifications_by_state",
        "tenant",
        "state",
        "id",
        sqlite_where=text("state <> 'delivered'"),
        postgresql_where=text("state <> 'delivered'"),
    ),
    # A test key sees nothing else, and there may be few of them.
    Index("notifications_of_tests", "tenant", "id", sqlite_where=text("test"), postgresql_where=text("test")),
    sqlite_with_rowid=False,
)

notification_metadata = Table(
    "notification_metadata",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("value", Text, nullable=False),
    Index("notification_metadata_by_value", "tenant", "key", "value", "notification_id"),
    sqlite_with_rowid=False,
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Text, primary_key=True),
    Column("notification_id", Text, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("address", Text),
    Index("deliveries_by_notification", "notification_id"),
    Index("deliveries_by_address", "tenant", "address", "notification_id"),
    sqlite_with_rowid=False,
)

# `rank` decides between two events told of one life (see `lifecycle`). `reason` and `code` are those of its end.
lives = Table(
    "lives",
    metadata,
    Column("delivery_id", Text, primary_key=True),
    Column("life", BigInteger, primary_key=True),
    Column("state", Text, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("attempts", BigInteger, nullable=False),
    Column("started_at", BigInteger, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("reason", Text),
    Column("code", Text),
    # The reconciler's: only what has not ended is in it.
    Index("lives_open", "expires_at", sqlite_where=text("rank < 2"), postgresql_where=text("rank < 2")),
    sqlite_with_rowid=False,
)

# Keyed by notification first, so that a timeline is one stretch of the table. An event of which the notification is
# not known (an operator's action, a record that could not be read) has an empty `notification_id`.
events = Table(
    "events",
    metadata,
    Column("notification_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("delivery_id", Text),
    Column("life", BigInteger),
    Column("attempt", BigInteger),
    Column("type", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("data", Text, nullable=False),
    Index(
        "events_without_notification",
        "delivery_id",
        sqlite_where=text("notification_id = ''"),
        postgresql_where=text("notification_id = ''"),
    ),
    sqlite_with_rowid=False,
)
