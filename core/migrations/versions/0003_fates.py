"""What becomes of a delivery behind the relay, and what stops sending."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.add_column(sa.Column("notice", sa.String(1000), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("settle_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("rung", _ID, nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("first_id", _ID, nullable=True))
        batch_op.create_foreign_key("fk_outbox_first_id_outbox", "outbox", ["first_id"], ["id"], ondelete="SET NULL")
        batch_op.create_index("ix_outbox_settle_at", ["settle_at"])
        batch_op.create_index("ix_outbox_first_id", ["first_id"])
    op.create_table(
        "sending_stop",
        sa.Column("scope", sa.String(400), nullable=False),
        sa.Column("user_id", _ID, nullable=True),
        sa.Column("reason", sa.String(50), nullable=False),
        sa.Column("words", sa.String(1000), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_sending_stop_user_id_user", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("scope", name="pk_sending_stop"),
    )
    op.create_index("ix_sending_stop_user_id", "sending_stop", ["user_id"])


def downgrade() -> None:
    op.drop_index("ix_sending_stop_user_id", table_name="sending_stop")
    op.drop_table("sending_stop")
    with op.batch_alter_table("outbox") as batch_op:
        batch_op.drop_index("ix_outbox_first_id")
        batch_op.drop_index("ix_outbox_settle_at")
        batch_op.drop_constraint("fk_outbox_first_id_outbox", type_="foreignkey")
        for name in ("first_id", "rung", "settle_at", "notice"):
            batch_op.drop_column(name)
