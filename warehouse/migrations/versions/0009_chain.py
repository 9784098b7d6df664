"""The mirror of the journal keeps the digest of each entry, and with the last one the head."""

from alembic import op

revision = "0009"
down_revision = "0008"

CHAIN = """
alter table meta.journal_entry add column digest text;
comment on column meta.journal_entry.digest is
    'The digest of the entry, which names the digest of the entry before; none for entries of earlier versions.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(CHAIN)
