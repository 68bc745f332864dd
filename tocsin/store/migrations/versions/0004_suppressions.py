"""The suppressed addresses of `tocsin.store.suppressions`.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "suppressions",
        sa.Column("id", Text, primary_key=True),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("channel", Text, nullable=False),
        sa.Column("address", Text, nullable=False),
        sa.Column("reason", Text, nullable=False),
        sa.Column("source", Text, nullable=False),
        sa.Column("added_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("lifted_at", sa.BigInteger),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("suppressions_newest", "suppressions", ["tenant", "added_at", "id"])
    op.create_index("suppressions_changed", "suppressions", ["changed_at", "id"])


def downgrade() -> None:
    """Drop the table: what bounced or was opted out of is sent to again."""
    op.drop_table("suppressions")
