"""The tables of the customers service."""

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Table, Text

from examples.shop.kit.tables import NUMBER

METADATA = MetaData()

# Of one who has left only the id and the version stay.
customers = Table(
    "customers",
    METADATA,
    Column("number", NUMBER, primary_key=True),
    Column("id", Text, nullable=False, unique=True),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("locale", Text),
    Column("version", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
)
