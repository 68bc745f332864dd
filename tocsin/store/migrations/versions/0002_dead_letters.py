"""The dead letters of `dlq.items`.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "dead_letters",
        sa.Column("id", Text, primary_key=True),
        sa.Column("tenant", Text),
        sa.Column("visible_to", Text, nullable=False),
        sa.Column("notification_id", Text),
        sa.Column("delivery_id", Text),
        sa.Column("life", sa.BigInteger),
        sa.Column("channel", Text, nullable=False),
        sa.Column("lane", Text),
        sa.Column("category", Text),
        sa.Column("template", Text),
        sa.Column("reason", Text, nullable=False),
        sa.Column("code", Text, nullable=False),
        sa.Column("message", Text, nullable=False),
        sa.Column("provider", Text, nullable=False),
        sa.Column("attempts", sa.BigInteger),
        sa.Column("history", sa.JSON, nullable=False),
        sa.Column("origin_topic", Text, nullable=False),
        sa.Column("origin_partition", sa.BigInteger, nullable=False),
        sa.Column("origin_offset", sa.BigInteger, nullable=False),
        sa.Column("died_at", sa.BigInteger, nullable=False),
        sa.Column("ingested_at", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.LargeBinary, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("replay_life", sa.BigInteger),
        sa.Column("replay_state", Text),
        sa.Column("replayed_at", sa.BigInteger),
        sa.Column("replayed_by", Text),
        sa.Column("discarded_at", sa.BigInteger),
        sa.Column("discarded_by", Text),
        sa.Column("outstanding_since", sa.BigInteger),
    )
    op.create_index("dead_letters_newest", "dead_letters", ["visible_to", "died_at", "id"])
    op.create_index("dead_letters_by_notification", "dead_letters", ["notification_id", "died_at", "id"])
    op.create_index("dead_letters_by_delivery", "dead_letters", ["delivery_id", "replay_life"])
    op.create_index("dead_letters_outstanding", "dead_letters", ["outstanding_since", "id"])


def downgrade() -> None:
    """Drop the table, and with it every dead letter's payload and decision."""
    op.drop_table("dead_letters")
