"""Column types that mean the same on every database."""

import sqlalchemy as sa

# Ordered by its bytes, as SQLite orders text: ids are compared as ranges of time, whatever the database's locale is.
Text = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
