"""The registered push subscriptions of `channels.browser.registrations`.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table and its indexes."""
    op.create_table(
        "browser_subscriptions",
        sa.Column("id", Text, primary_key=True),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("recipient_id", Text, nullable=False),
        sa.Column("endpoint_hash", Text, nullable=False),
        sa.Column("endpoint", Text, nullable=False),
        sa.Column("p256dh", Text, nullable=False),
        sa.Column("auth", Text, nullable=False),
        sa.Column("key_id", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
    )
    op.create_index("browser_subscriptions_by_endpoint", "browser_subscriptions", ["endpoint_hash"], unique=True)
    op.create_index(
        "browser_subscriptions_by_recipient", "browser_subscriptions", ["tenant", "recipient_id", "created_at", "id"]
    )


def downgrade() -> None:
    """Drop the table: every page has to register its browser anew."""
    op.drop_table("browser_subscriptions")
