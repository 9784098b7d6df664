"""The mirror of the journal keeps the digest of each entry; the ledger keeps all that a manifest says, so that an edit is noticed."""

from alembic import op

revision = "0009"
down_revision = "0008"

CHAIN = """
alter table meta.journal_entry add column digest text;
comment on column meta.journal_entry.digest is
    'The digest of the entry, which names the digest of the entry before; none for entries of earlier versions.';
"""

MANIFESTS = """
alter table meta.snapshot add column content_type text, add column note text, add column edition text;
comment on column meta.snapshot.edition is 'The label of the vintage that the manifest has; the release has the one that counts.';
"""


def upgrade() -> None:
    """Apply."""
    for statements in (CHAIN, MANIFESTS):
        op.execute(statements)
