"""Quotas of single users, shelves, and what people share."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime
from core.models import tag

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("user") as batch_op:
        batch_op.add_column(sa.Column("most_books", _ID, nullable=True))
        batch_op.add_column(sa.Column("most_bytes", _ID, nullable=True))
    op.create_table(
        "tag",
        sa.Column("user_id", _ID, nullable=False, autoincrement=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("book_id", _ID, nullable=False, autoincrement=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_tag_user_id_user", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_tag_book_id_book", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "key", "book_id", name="pk_tag"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_tag_book_id", "tag", ["book_id"])
    op.create_table(
        "share",
        sa.Column("book_id", _ID, nullable=False, autoincrement=False),
        sa.Column("owner_id", _ID, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_share_book_id_book", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_share_owner_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("book_id", name="pk_share"),
    )
    op.create_index("ix_share_owner_id", "share", ["owner_id"])
    op.create_table(
        "feed_share",
        sa.Column("owner_id", _ID, nullable=False, autoincrement=False),
        sa.Column("reader_id", _ID, nullable=False, autoincrement=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["user.id"], name="fk_feed_share_owner_id_user", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["reader_id"], ["user.id"], name="fk_feed_share_reader_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", "reader_id", name="pk_feed_share"),
    )
    op.create_index("ix_feed_share_reader_id", "feed_share", ["reader_id"])
    tag.fill(op.get_bind())


def downgrade() -> None:
    op.drop_table("feed_share")
    op.drop_table("share")
    op.drop_table("tag")
    with op.batch_alter_table("user") as batch_op:
        batch_op.drop_column("most_bytes")
        batch_op.drop_column("most_books")
