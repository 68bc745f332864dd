"""The table of the shipping service."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, MetaData, Table, Text

METADATA = MetaData()

# One row an order. `due_at_ms` is when a parcel that is being packed will be ready.
shipments = Table(
    "shipments",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("tracking", Text),
    Column("reason", Text),
    Column("facts", LargeBinary, nullable=False),
    Column("due_at_ms", BigInteger),
    Column("changed_at_ms", BigInteger, nullable=False),
    Index("shipments_packing", "status", "due_at_ms"),
)
