"""Newsletters at addresses of their own, mails that were passed on, and when somebody was first heard from."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("user") as batch_op:
        batch_op.add_column(sa.Column("first_mail_at", UtcDateTime(), nullable=True))
        batch_op.add_column(sa.Column("reads_links_now", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute('UPDATE "user" SET first_mail_at = created_at')  # who is here already needs no welcome
    op.create_table(
        "newsletter",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("feed_id", _ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("nonce", sa.String(32), nullable=False),
        sa.Column("secret_hash", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("burnt_at", UtcDateTime(), nullable=True),
        sa.Column("sender", sa.String(320), nullable=False),
        sa.Column("one_click_url", sa.String(2000), nullable=False),
        sa.Column("leave_mailto", sa.String(1000), nullable=False),
        sa.Column("left_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_newsletter_user_id_user", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["feed_id"], ["feed.id"], name="fk_newsletter_feed_id_feed", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_newsletter"),
        sa.UniqueConstraint("secret_hash", name="uq_newsletter_secret_hash"),
    )
    op.create_index("ix_newsletter_user_id", "newsletter", ["user_id"])
    op.create_index("ix_newsletter_feed_id", "newsletter", ["feed_id"])
    op.create_table(
        "forwarded",
        sa.Column("id", _ID, nullable=False),
        sa.Column("user_id", _ID, nullable=False),
        sa.Column("inbound_id", _ID, nullable=False),
        sa.Column("reference", sa.String(16), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("files", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name="fk_forwarded_user_id_user", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["inbound_id"], ["inbound.id"], name="fk_forwarded_inbound_id_inbound", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_forwarded"),
        sa.UniqueConstraint("inbound_id", name="uq_forwarded_inbound_id"),
        sa.UniqueConstraint("reference", name="uq_forwarded_reference"),
    )
    op.create_index("ix_forwarded_user_id", "forwarded", ["user_id"])


def downgrade() -> None:
    op.drop_table("forwarded")
    op.drop_table("newsletter")
    with op.batch_alter_table("user") as batch_op:
        batch_op.drop_column("reads_links_now")
        batch_op.drop_column("first_mail_at")
