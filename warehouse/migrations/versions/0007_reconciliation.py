"""What became of each raw row."""

from alembic import op

revision = "0007"
down_revision = "0006"

RECONCILIATION = """
create table meta.reconciliation (
    core_schema text not null,
    release_key bigint not null,
    load_again boolean not null default false,
    raw_rows bigint not null default 0,
    fact_rows bigint not null default 0,
    derived_rows bigint not null default 0,
    quarantined_rows bigint not null default 0,
    dropped_rows bigint not null default 0,
    primary key (core_schema, release_key)
);
comment on table meta.reconciliation is
'Releases whose raw rows are all accounted for in a core schema, with the rows of each class, and those that core is to load again.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(RECONCILIATION)
