"""The core's own tables, and those of `audit.tables`.

Revision ID: 0001
"""

import sqlalchemy as sa
from alembic import op

from tocsin.store.migrations.types import Text

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables and their indexes."""
    _core()
    _notifications()
    _deliveries()
    _events()


def _core() -> None:
    op.create_table(
        "consumer_offsets",
        sa.Column("consumer_group", Text, primary_key=True),
        sa.Column("topic", Text, primary_key=True),
        sa.Column("partition_index", sa.Integer, primary_key=True),
        sa.Column("next_offset", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "quarantine",
        sa.Column("id", Text, primary_key=True),
        sa.Column("sink", Text, nullable=False),
        sa.Column("topic", Text, nullable=False),
        sa.Column("partition", sa.Integer, nullable=False),
        sa.Column("offset", sa.BigInteger, nullable=False),
        sa.Column("key", sa.LargeBinary),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("headers", Text, nullable=False),
        sa.Column("error", Text, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", Text, primary_key=True),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("name", Text, nullable=False),
        sa.Column("hash", Text, nullable=False),
        sa.Column("scopes", Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
    )
    op.create_index("api_keys_by_hash", "api_keys", ["hash"], unique=True)
    op.create_table(
        "templates",
        sa.Column("name", Text, primary_key=True),
        sa.Column("version", Text, primary_key=True),
        sa.Column("files", Text, nullable=False),
        sa.Column("loaded_at", sa.BigInteger, nullable=False),
    )


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("id", Text, primary_key=True),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("state", Text, nullable=False),
        sa.Column("recipient_id", Text),
        sa.Column("locale", Text),
        sa.Column("category", Text),
        sa.Column("lane", Text),
        sa.Column("template", Text),
        sa.Column("template_version", Text),
        sa.Column("channels", Text),
        sa.Column("metadata", Text),
        sa.Column("accepted_at", sa.BigInteger),
        sa.Column("expires_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_index("notifications_newest", "notifications", ["tenant", "id"])
    op.create_index("notifications_by_recipient", "notifications", ["tenant", "recipient_id", "id"])
    rare = sa.text("state <> 'delivered'")
    op.create_index(
        "notifications_by_state",
        "notifications",
        ["tenant", "state", "id"],
        sqlite_where=rare,
        postgresql_where=rare,
    )
    op.create_table(
        "notification_metadata",
        sa.Column("notification_id", Text, primary_key=True),
        sa.Column("key", Text, primary_key=True),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("value", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "notification_metadata_by_value", "notification_metadata", ["tenant", "key", "value", "notification_id"]
    )


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", Text, primary_key=True),
        sa.Column("notification_id", Text, nullable=False),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("channel", Text, nullable=False),
        sa.Column("address", Text),
        sqlite_with_rowid=False,
    )
    op.create_index("deliveries_by_notification", "deliveries", ["notification_id"])
    op.create_index("deliveries_by_address", "deliveries", ["tenant", "address", "notification_id"])
    op.create_table(
        "lives",
        sa.Column("delivery_id", Text, primary_key=True),
        sa.Column("life", sa.BigInteger, primary_key=True),
        sa.Column("state", Text, nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("attempts", sa.BigInteger, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("reason", Text),
        sa.Column("code", Text),
        sqlite_with_rowid=False,
    )
    running = sa.text("rank < 2")
    op.create_index("lives_open", "lives", ["expires_at"], sqlite_where=running, postgresql_where=running)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("notification_id", Text, primary_key=True),
        sa.Column("id", Text, primary_key=True),
        sa.Column("delivery_id", Text),
        sa.Column("life", sa.BigInteger),
        sa.Column("attempt", sa.BigInteger),
        sa.Column("type", Text, nullable=False),
        sa.Column("time", sa.BigInteger, nullable=False),
        sa.Column("tenant", Text, nullable=False),
        sa.Column("data", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    ownerless = sa.text("notification_id = ''")
    op.create_index(
        "events_without_notification",
        "events",
        ["delivery_id"],
        sqlite_where=ownerless,
        postgresql_where=ownerless,
    )


def downgrade() -> None:
    """Take the tables away."""
    for table in (
        "events",
        "lives",
        "deliveries",
        "notification_metadata",
        "notifications",
        "templates",
        "api_keys",
        "quarantine",
        "consumer_offsets",
    ):
        op.drop_table(table)
