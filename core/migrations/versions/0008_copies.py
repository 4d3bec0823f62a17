"""Copies of books for devices, and what has to be made before a mail can go."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_FORMATS = ("epub", "pdf", "mobi", "azw3", "fb2", "docx", "rtf", "txt", "html", "cbz", "odt", "md")


def upgrade() -> None:
    op.create_table(
        "derived",
        sa.Column("id", _ID, nullable=False),
        sa.Column("book_id", _ID, nullable=False),
        sa.Column("recipe", sa.String(20), nullable=False),
        sa.Column("version", _ID, nullable=False),
        sa.Column("budget_bytes", _ID, nullable=False),
        sa.Column("part", _ID, nullable=False),
        sa.Column("title", sa.String(600), nullable=False),
        sa.Column("format", sa.Enum(*_FORMATS, name="bookformat", native_enum=False, length=20), nullable=False),
        sa.Column("storage_key", sa.String(200), nullable=True),
        sa.Column("size_bytes", _ID, nullable=False),
        sa.Column("fixes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name="fk_derived_book_id_book", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_derived"),
        sa.UniqueConstraint(
            "book_id", "recipe", "version", "budget_bytes", "part",
            name="uq_derived_book_id_recipe_version_budget_bytes_part",
        ),
    )  # fmt: skip
    op.create_index("ix_derived_storage_key", "derived", ["storage_key"])
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("wants", sa.String(20), nullable=False, server_default=""))


def downgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_column("wants")
    op.drop_index("ix_derived_storage_key", table_name="derived")
    op.drop_table("derived")
