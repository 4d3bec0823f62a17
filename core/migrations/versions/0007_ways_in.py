"""one effect for a mail that comes by several ways; folders that are fetched by IMAP."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import core.db

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mail_key", sa.String(length=64), nullable=False, server_default=""))
    op.execute("UPDATE inbound SET mail_key = dedupe_key")  # until now one key was both
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.alter_column("mail_key", server_default=None)
        batch_op.create_index(
            "uq_inbound_effect",
            ["user_id", "mail_key"],
            unique=True,
            sqlite_where=sa.text("outcome = 'answered'"),
            postgresql_where=sa.text("outcome = 'answered'"),
        )
    op.create_table(
        "imap_folder",
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("uid_validity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_uid", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("read_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_imap_folder")),
    )


def downgrade() -> None:
    op.drop_table("imap_folder")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index("uq_inbound_effect")
        batch_op.drop_column("mail_key")
