"""The mode of an API key, and which notifications are tests.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns. Keys of before are live ones; what was accepted before was no test, and is left null."""
    op.add_column("api_keys", sa.Column("mode", Text, nullable=False, server_default="live"))
    op.add_column("notifications", sa.Column("test", sa.Boolean))
    op.create_index(
        "notifications_of_tests",
        "notifications",
        ["tenant", "id"],
        sqlite_where=sa.text("test"),
        postgresql_where=sa.text("test"),
    )


def downgrade() -> None:
    """Drop the columns. Test keys are dropped with them: what knows of no mode would take them for live ones."""
    op.execute("DELETE FROM api_keys WHERE mode <> 'live'")
    op.drop_index("notifications_of_tests", "notifications")
    op.drop_column("notifications", "test")
    op.drop_column("api_keys", "mode")
