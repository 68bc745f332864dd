"""Suppressions for one category, beside those for all.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the category, and what all rows of an address have in common: until now its only row's id."""
    op.add_column("suppressions", sa.Column("category", Text))
    op.add_column("suppressions", sa.Column("address_id", Text))
    # It may stay null: a process of before, which runs on for a while, writes rows without it.
    op.execute("UPDATE suppressions SET address_id = id")
    op.create_index("suppressions_of_address", "suppressions", ["address_id"])
    # For lists of a rare reason, channel or category, and for forgetting what is over: none reads the whole table.
    op.create_index("suppressions_of_reason", "suppressions", ["tenant", "reason", "added_at", "id"])
    op.create_index("suppressions_of_channel", "suppressions", ["tenant", "channel", "added_at", "id"])
    op.create_index(
        "suppressions_of_category",
        "suppressions",
        ["tenant", "category", "added_at", "id"],
        sqlite_where=sa.text("category IS NOT NULL"),
        postgresql_where=sa.text("category IS NOT NULL"),
    )
    op.create_index("suppressions_lifted", "suppressions", ["lifted_at"])
    op.create_index("suppressions_expiring", "suppressions", ["expires_at"])


def downgrade() -> None:
    """Forget what was suppressed for one category only: it is sent again."""
    op.execute("DELETE FROM suppressions WHERE category IS NOT NULL")
    for index in ("expiring", "lifted", "of_channel", "of_reason", "of_category", "of_address"):
        op.drop_index(f"suppressions_{index}", "suppressions")
    with op.batch_alter_table("suppressions") as table:
        table.drop_column("address_id")
        table.drop_column("category")
