"""What replies mean, and small covers; users' mails no longer go where they last wrote to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "reply_context",
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("meanings", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_reply_context_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("message_id", name="pk_reply_context"),
    )
    op.create_index("ix_reply_context_user_id", "reply_context", ["user_id"])
    op.create_index("ix_reply_context_created_at", "reply_context", ["created_at"])
    op.create_index("ix_listing_created_at", "listing", ["created_at"])
    op.create_table(
        "thumbnail",
        sa.Column("cover_key", sa.String(200), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("cover_key", name="pk_thumbnail"),
    )
    op.drop_column("user", "wrote_to")


def downgrade() -> None:
    op.add_column("user", sa.Column("wrote_to", sa.String(length=320), nullable=False, server_default=""))
    op.drop_table("thumbnail")
    op.drop_index("ix_listing_created_at", table_name="listing")
    op.drop_index("ix_reply_context_created_at", table_name="reply_context")
    op.drop_index("ix_reply_context_user_id", table_name="reply_context")
    op.drop_table("reply_context")
