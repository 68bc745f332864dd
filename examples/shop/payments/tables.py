"""The table of the payments service."""

from sqlalchemy import BigInteger, Column, MetaData, Table, Text

METADATA = MetaData()

# One row an order; a payment_id where money was taken.
payments = Table(
    "payments",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("payment_id", Text),
    Column("amount_cents", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("reason", Text),
    Column("changed_at_ms", BigInteger, nullable=False),
)
