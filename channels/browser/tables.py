"""The tables of the channel: registered subscriptions, inboxes with their messages, and the keys of their tickets.

A message has the number that its inbox gave it. Who writes to an inbox holds its row of `browser_inboxes` until the
commit, so numbers become visible in their order: a reader who has seen number 7 has missed nothing below it.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

metadata = MetaData()

# `endpoint_hash` is of the tenant and the endpoint, `created_at` when it was last registered, `key_id` the VAPID key
# that the subscription was made with.
subscriptions = Table(
    "browser_subscriptions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("recipient_id", Text, nullable=False),
    Column("endpoint_hash", Text, nullable=False),
    Column("endpoint", Text, nullable=False),
    Column("p256dh", Text, nullable=False),
    Column("auth", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Index("browser_subscriptions_by_endpoint", "endpoint_hash", unique=True),
    Index("browser_subscriptions_by_recipient", "tenant", "recipient_id", "created_at", "id"),
)

# `newest` is the last number that was given out.
inboxes = Table(
    "browser_inboxes",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("recipient_id", Text, primary_key=True),
    Column("newest", BigInteger, nullable=False),
)

# `data` is JSON. One life of a delivery is one message, however often it is written.
messages = Table(
    "browser_inbox_messages",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("recipient_id", Text, primary_key=True),
    Column("number", BigInteger, primary_key=True),
    Column("delivery_id", Text, nullable=False),
    Column("life", Integer, nullable=False),
    Column("notification_id", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("url", Text),
    Column("icon", Text),
    Column("data", Text),
    Column("created_at", BigInteger, nullable=False),
    Column("read_at", BigInteger),
    Index("browser_inbox_messages_by_delivery", "delivery_id", "life", unique=True),
    Index("browser_inbox_messages_oldest", "created_at"),
)

# `secret` signs tickets, in base64url.
keys = Table(
    "browser_inbox_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("secret", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
)
