"""What people had made of all that is kept about them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "takeout",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("cause", sa.String(200), nullable=False),
        sa.Column("page", _ID, nullable=False),
        sa.Column("keys", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_takeout_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_takeout"),
        sa.UniqueConstraint("cause", name="uq_takeout_cause"),
    )
    op.create_index("ix_takeout_user_id_created_at", "takeout", ["user_id", "created_at"])
    op.create_index("ix_takeout_created_at", "takeout", ["created_at"])


def downgrade() -> None:
    op.drop_table("takeout")
