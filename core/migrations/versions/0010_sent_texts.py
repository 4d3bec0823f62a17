"""The texts of answers, letters and notices that were sent are forgotten: they hold tokens."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    sent = "'accepted', 'needs-your-click', 'no-refusal-seen', 'rejected', 'bounced'"
    nothing = "''::bytea" if op.get_bind().dialect.name == "postgresql" else "x''"
    op.execute(f"UPDATE outbox SET head = {nothing} WHERE kind <> 'delivery' AND state IN ({sent})")


def downgrade() -> None:
    """What is forgotten stays so."""
