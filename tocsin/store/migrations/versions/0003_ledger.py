"""The tables of `ledger.postgres`, on PostgreSQL only: on the embedded log the ledger lies in the log's own file.

Here, and not made by the ledger when it opens, because on PostgreSQL one command migrates and the services, which may
not be allowed to make tables, check. There are no indexes but the keys: most changes then stay on their page.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, where the ledger is in this database."""
    if op.get_context().dialect.name != "postgresql":
        return
    op.create_table(
        "ledger_attempts",
        sa.Column("delivery", Text, primary_key=True),
        sa.Column("life", sa.Integer, primary_key=True),
        sa.Column("attempt", sa.Integer, primary_key=True),
        sa.Column("source", Text, nullable=False),
        sa.Column("owner", Text, nullable=False),
        sa.Column("takeovers", sa.Integer, nullable=False),
        sa.Column("settled", sa.Boolean, nullable=False),
        sa.Column("state", Text),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("owed", sa.LargeBinary),
        postgresql_with={"fillfactor": 70},
    )
    op.create_table(
        "ledger_submits",
        sa.Column("tenant", Text, primary_key=True),
        sa.Column("idempotency_key", Text, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("lease_until", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("owed", sa.LargeBinary),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("ledger_submits_by_expiry", "ledger_submits", ["expires_at"])


def downgrade() -> None:
    """Drop the tables: what was claimed may be sent again."""
    if op.get_context().dialect.name != "postgresql":
        return
    op.drop_table("ledger_submits")
    op.drop_table("ledger_attempts")
