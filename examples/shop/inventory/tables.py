"""The tables of the inventory service."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Integer, LargeBinary, MetaData, Table, Text

from examples.shop.kit.tables import NUMBER

METADATA = MetaData()

stock = Table(
    "stock",
    METADATA,
    Column("product", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("price_cents", Integer, nullable=False),
    Column("available", Integer, nullable=False),
    CheckConstraint("available >= 0", name="stock_is_never_negative"),
)

# Every change of `stock.available`, which is their sum.
movements = Table(
    "movements",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("product", Text, nullable=False, index=True),
    Column("change", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("order_id", Text),
    Column("at_ms", BigInteger, nullable=False),
)

# One row an order; a reservation_id where stock was reserved.
reservations = Table(
    "reservations",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("status", Text, nullable=False),
    Column("reservation_id", Text),
    Column("items", LargeBinary, nullable=False),
    Column("changed_at_ms", BigInteger, nullable=False),
)
