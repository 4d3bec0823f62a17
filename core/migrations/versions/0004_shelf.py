"""How many books each user has, so that a page of a list need not count them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.models import shelf

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "shelf",
        sa.Column("user_id", _ID, autoincrement=False, nullable=False),
        sa.Column("books", _ID, nullable=False),
        sa.Column("size_bytes", _ID, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_shelf_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", name="pk_shelf"),
    )
    shelf.create(op.get_bind())


def downgrade() -> None:
    shelf.drop(op.get_bind())
    op.drop_table("shelf")
