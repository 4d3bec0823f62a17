"""Parts of books that are healed one by one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OLD = "uq_derived_book_id_recipe_version_budget_bytes_part"
_NEW = "uq_derived_book_id_part_key_recipe_version_budget_bytes_part"
_COLUMNS = ["book_id", "recipe", "version", "budget_bytes", "part"]


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("whole_id", _ID, nullable=True))
        batch_op.add_column(sa.Column("part_key", sa.String(200), nullable=True))
        batch_op.create_foreign_key("fk_outbox_whole_id_outbox", "outbox", ["whole_id"], ["id"], ondelete="SET NULL")
    with op.batch_alter_table("derived") as batch_op:
        batch_op.add_column(sa.Column("part_key", sa.String(200), nullable=False, server_default=""))
        batch_op.drop_constraint(_OLD, type_="unique")
        batch_op.create_unique_constraint(_NEW, ["book_id", "part_key", *_COLUMNS[1:]])


def downgrade() -> None:
    op.execute("DELETE FROM derived WHERE part_key <> ''")
    with op.batch_alter_table("derived") as batch_op:
        batch_op.drop_constraint(_NEW, type_="unique")
        batch_op.create_unique_constraint(_OLD, _COLUMNS)
        batch_op.drop_column("part_key")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_constraint("fk_outbox_whole_id_outbox", type_="foreignkey")
        batch_op.drop_column("part_key")
        batch_op.drop_column("whole_id")
