"""Two indexes of mails hold those alone that were dealt with: the commit of a mail that comes writes two pages less."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

INDEXES = (
    ("ix_inbound_state_received_at", ["state", "received_at"], "state <> 'accepted'"),
    ("ix_inbound_user_id", ["user_id"], "user_id IS NOT NULL"),
)


def upgrade() -> None:
    for name, columns, where in INDEXES:
        op.drop_index(name, table_name="inbound")
        op.create_index(name, "inbound", columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def downgrade() -> None:
    for name, columns, _ in INDEXES:
        op.drop_index(name, table_name="inbound")
        op.create_index(name, "inbound", columns)
