"""What a release was parsed by, and which parse of a delivery it is."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
    op.execute("alter table meta.release add column parse_number int not null default 1")
    op.execute("alter table meta.release add column rows_at_hand boolean not null default true")
