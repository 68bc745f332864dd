"""The tables of the orders service."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from examples.shop.kit.tables import NUMBER

METADATA = MetaData()

# `fingerprint` tells the same request, sent again, from another one that gives the order the same id.
orders = Table(
    "orders",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("fingerprint", Text, nullable=False),
    Column("customer_id", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text),
    Column("with_payment", Boolean, nullable=False),
    Column("facts", LargeBinary, nullable=False),
    Column("paid_cents", BigInteger, nullable=False),
    Column("refunded_cents", BigInteger, nullable=False),
    Column("placed_at_ms", BigInteger, nullable=False),
    Index("orders_of_customer", "customer_id", "number"),
)

# What happened to each order, and where it stood afterwards.
history = Table(
    "history",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("order_id", Text, nullable=False, index=True),
    Column("event", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
)

# A replica of the customers, from their events. Version 0 is a guest: somebody who ordered without joining.
customers = Table(
    "customers",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("details", LargeBinary),
)

prices = Table(
    "prices",
    METADATA,
    Column("product", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price_cents", Integer, nullable=False),
)
