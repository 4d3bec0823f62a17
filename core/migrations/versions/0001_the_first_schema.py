"""the first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import core.db
from core.models import book_index

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

PARTIAL = (
    ("ix_book_in_library", ["user_id", "id", "size_bytes"], "removed_at IS NULL"),
    ("ix_book_removed_at", ["removed_at"], "removed_at IS NOT NULL"),
    ("ix_book_sent", ["user_id", "download_count"], "download_count > 0"),
    ("ix_book_pending", ["user_id"], "sync_status = 'pending'"),
)


def upgrade() -> None:
    _make_doomed_blob()
    _make_user()
    _make_audit()
    _make_book()
    _make_device()
    _make_inbound()
    _make_listing()
    _make_outbox()
    _make_attempt()
    _make_spelling()
    book_index.create(op.get_bind())


def _make_doomed_blob() -> None:
    op.create_table(
        "doomed_blob",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_doomed_blob")),
    )


def _make_user() -> None:
    op.create_table(
        "user",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column(
            "role", sa.Enum("reader", "administrator", name="userrole", native_enum=False, length=20), nullable=False
        ),
        sa.Column(
            "state", sa.Enum("active", "suspended", name="userstate", native_enum=False, length=20), nullable=False
        ),
        sa.Column("timezone", sa.String(length=64), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=True),
        sa.Column("autosend", sa.Boolean(), nullable=False),
        sa.Column("created_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user")),
        sa.UniqueConstraint("address", name=op.f("uq_user_address")),
        sa.UniqueConstraint("secret_hash", name=op.f("uq_user_secret_hash")),
    )


def _make_audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_audit_user_id_user"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.create_index("ix_audit_user_id_at", ["user_id", "at"], unique=False)


def _make_book() -> None:
    op.create_table(
        "book",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("title", sa.String(length=500), nullable=False),
        sa.Column("authors", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=35), nullable=True),
        sa.Column("identifiers", sa.JSON(), nullable=False),
        sa.Column("series", sa.String(length=300), nullable=True),
        sa.Column("series_index", sa.Double(), nullable=True),
        sa.Column("genre", sa.String(length=100), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column(
            "format",
            sa.Enum(
                "epub",
                "pdf",
                "mobi",
                "azw3",
                "fb2",
                "docx",
                "rtf",
                "txt",
                "html",
                "cbz",
                "odt",
                "md",
                name="bookformat",
                native_enum=False,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("filename", sa.String(length=200), nullable=False),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("work_key", sa.String(length=64), nullable=False),
        sa.Column("storage_key", sa.String(length=200), nullable=False),
        sa.Column("cover_key", sa.String(length=200), nullable=True),
        sa.Column("download_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "sync_status",
            sa.Enum("never", "pending", "accepted", "failed", name="syncstatus", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("last_synced_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("added_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("removed_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_book_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_book")),
        sa.UniqueConstraint("user_id", "sha256", name=op.f("uq_book_user_id_sha256")),
    )
    with op.batch_alter_table("book", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_book_cover_key"), ["cover_key"], unique=False)
        batch_op.create_index(batch_op.f("ix_book_sha256"), ["sha256"], unique=False)
        batch_op.create_index(batch_op.f("ix_book_storage_key"), ["storage_key"], unique=False)
        for name, columns, where in PARTIAL:
            batch_op.create_index(name, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
        batch_op.create_index("ix_book_user_id_work_key", ["user_id", "work_key"], unique=False)


def _make_device() -> None:
    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_device_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("user_id", "address", name=op.f("uq_device_user_id_address")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_device_user_id_name")),
    )
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.create_index(
            "ix_device_default",
            ["user_id"],
            unique=True,
            sqlite_where=sa.text("is_default"),
            postgresql_where=sa.text("is_default"),
        )


def _make_inbound() -> None:
    op.create_table(
        "inbound",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column("dedupe_key", sa.String(length=64), nullable=False),
        sa.Column("intake", sa.String(length=20), nullable=False),
        sa.Column("peer_ip", sa.String(length=45), nullable=True),
        sa.Column("helo", sa.String(length=255), nullable=False),
        sa.Column("auth_user", sa.String(length=320), nullable=True),
        sa.Column("tls", sa.Boolean(), nullable=False),
        sa.Column("mail_from", sa.String(length=320), nullable=False),
        sa.Column("rcpt_tos", sa.JSON(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("raw_key", sa.String(length=200), nullable=True),
        sa.Column("received_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum("accepted", "done", "set-aside", "dropped", name="inboundstate", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("author", sa.String(length=320), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("processed_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_inbound_user_id_user"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbound")),
        sa.UniqueConstraint("dedupe_key", name=op.f("uq_inbound_dedupe_key")),
        sa.UniqueConstraint("reference", name=op.f("uq_inbound_reference")),
    )
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.create_index("ix_inbound_state_received_at", ["state", "received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_inbound_user_id"), ["user_id"], unique=False)


def _make_listing() -> None:
    op.create_table(
        "listing",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("first_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("item_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_listing_user_id_user"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_listing")),
    )
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_listing_message_id"), ["message_id"], unique=False)
        batch_op.create_index("ix_listing_user_id_id", ["user_id", "id"], unique=False)


def _make_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cause", sa.String(length=200), nullable=False),
        sa.Column("reference", sa.String(length=16), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("answer", "delivery", "notice", name="outboxkind", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("user_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("inbound_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("book_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("device_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("mail_from", sa.String(length=320), nullable=False),
        sa.Column("rcpt_to", sa.String(length=320), nullable=False),
        sa.Column("message_id", sa.String(length=255), nullable=False),
        sa.Column("subject", sa.String(length=500), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("attachment_key", sa.String(length=200), nullable=True),
        sa.Column("attachment_name", sa.String(length=200), nullable=True),
        sa.Column("attachment_type", sa.String(length=100), nullable=True),
        sa.Column("size_bytes", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "queued", "sending", "accepted", "failed", "dropped", name="outboxstate", native_enum=False, length=20
            ),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("next_try_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("last_reply", sa.String(length=1000), nullable=False),
        sa.Column("finished_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["book_id"], ["book.id"], name=op.f("fk_outbox_book_id_book"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_outbox_device_id_device"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["inbound_id"], ["inbound.id"], name=op.f("fk_outbox_inbound_id_inbound"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_outbox_user_id_user"), ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("cause", name=op.f("uq_outbox_cause")),
        sa.UniqueConstraint("message_id", name=op.f("uq_outbox_message_id")),
        sa.UniqueConstraint("reference", name=op.f("uq_outbox_reference")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_book_id"), ["book_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_inbound_id"), ["inbound_id"], unique=False)
        batch_op.create_index("ix_outbox_state_created_at", ["state", "created_at"], unique=False)
        batch_op.create_index("ix_outbox_user_id_created_at", ["user_id", "created_at"], unique=False)


def _make_attempt() -> None:
    op.create_table(
        "attempt",
        sa.Column("outbox_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("started_at", core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("finished_at", core.db.UtcDateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(length=20), nullable=False),
        sa.Column("reply", sa.String(length=1000), nullable=False),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name=op.f("fk_attempt_outbox_id_outbox"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("outbox_id", "number", name=op.f("pk_attempt")),
    )


def _make_spelling() -> None:
    op.create_table(
        "spelling",
        sa.Column("key", sa.String(length=41), nullable=False),
        sa.Column("word", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("key", "word", name=op.f("pk_spelling")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    book_index.drop(op.get_bind())
    op.drop_table("spelling")
    op.drop_table("attempt")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index("ix_outbox_user_id_created_at")
        batch_op.drop_index("ix_outbox_state_created_at")
        batch_op.drop_index(batch_op.f("ix_outbox_inbound_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_book_id"))

    op.drop_table("outbox")
    with op.batch_alter_table("listing", schema=None) as batch_op:
        batch_op.drop_index("ix_listing_user_id_id")
        batch_op.drop_index(batch_op.f("ix_listing_message_id"))

    op.drop_table("listing")
    with op.batch_alter_table("inbound", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_inbound_user_id"))
        batch_op.drop_index("ix_inbound_state_received_at")

    op.drop_table("inbound")
    with op.batch_alter_table("device", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_device_default", sqlite_where=sa.text("is_default"), postgresql_where=sa.text("is_default")
        )

    op.drop_table("device")
    with op.batch_alter_table("book", schema=None) as batch_op:
        batch_op.drop_index("ix_book_user_id_work_key")
        for name, _, _ in PARTIAL:
            batch_op.drop_index(name)
        batch_op.drop_index(batch_op.f("ix_book_storage_key"))
        batch_op.drop_index(batch_op.f("ix_book_sha256"))
        batch_op.drop_index(batch_op.f("ix_book_cover_key"))

    op.drop_table("book")
    with op.batch_alter_table("audit", schema=None) as batch_op:
        batch_op.drop_index("ix_audit_user_id_at")

    op.drop_table("audit")
    op.drop_table("user")
    op.drop_table("doomed_blob")
