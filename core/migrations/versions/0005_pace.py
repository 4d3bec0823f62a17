"""feed.gap_seconds and newest_at: a feed's pace without a look at its articles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import core.db

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.add_column(sa.Column("gap_seconds", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("newest_at", core.db.UtcDateTime(timezone=True), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("feed", schema=None) as batch_op:
        batch_op.drop_column("newest_at")
        batch_op.drop_column("gap_seconds")
