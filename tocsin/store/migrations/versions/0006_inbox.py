"""The inboxes of `channels.browser.tables`, and the keys of their tickets.

Revision ID: 0006
Revises: 0005
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and their indexes."""
    op.create_table(
        "browser_inboxes",
        sa.Column("tenant", Text, primary_key=True),
        sa.Column("recipient_id", Text, primary_key=True),
        sa.Column("newest", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "browser_inbox_messages",
        sa.Column("tenant", Text, primary_key=True),
        sa.Column("recipient_id", Text, primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True),
        sa.Column("delivery_id", Text, nullable=False),
        sa.Column("life", sa.Integer, nullable=False),
        sa.Column("notification_id", Text, nullable=False),
        sa.Column("category", Text, nullable=False),
        sa.Column("title", Text, nullable=False),
        sa.Column("body", Text, nullable=False),
        sa.Column("url", Text),
        sa.Column("icon", Text),
        sa.Column("data", Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("read_at", sa.BigInteger),
    )
    op.create_index(
        "browser_inbox_messages_by_delivery", "browser_inbox_messages", ["delivery_id", "life"], unique=True
    )
    op.create_index("browser_inbox_messages_oldest", "browser_inbox_messages", ["created_at"])
    op.create_table(
        "browser_inbox_keys",
        sa.Column("id", Text, primary_key=True),
        sa.Column("secret", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )


def downgrade() -> None:
    """Drop the tables: what was in the inboxes is gone, and every page asks for a new ticket."""
    op.drop_table("browser_inbox_keys")
    op.drop_table("browser_inbox_messages")
    op.drop_table("browser_inboxes")
