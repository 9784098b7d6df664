"""What became of each attempt to take in a dataset."""

from alembic import op

revision = "0008"
down_revision = "0007"

ATTEMPT = """
create table meta.attempt (
    attempt_id uuid primary key,
    source text not null,
    dataset text not null,
    outcome text not null check (outcome in ('taken', 'unchanged', 'skipped', 'rejected', 'waiting for', 'failed')),
    happened text not null,
    url text,
    status int,
    advice text,
    started_at timestamptz not null,
    finished_at timestamptz not null
);
create index attempt_last on meta.attempt (source, dataset, finished_at desc);
comment on table meta.attempt is 'Each attempt to take in a dataset: what became of it, and what to do. A log of operation, in no journal.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(ATTEMPT)
