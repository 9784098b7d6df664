"""An edition of the agency ranks above a retrieval of unknown edition."""

from alembic import op

revision = "0012"
down_revision = "0011"

BELOW = """
create or replace view meta.release_below as
select
    r.release_key,
    (
        select b.release_key
        from meta.release as b
        where
            b.source = r.source
            and b.dataset = r.dataset
            and b.slice = r.slice
            and b.state in ('accepted', 'published', 'superseded')
            and b.rows_at_hand
            and (b.rank_basis = 'agency', b.rank, b.parse_number, b.release_key)
            < (r.rank_basis = 'agency', r.rank, r.parse_number, r.release_key)
        order by b.rank_basis = 'agency' desc, b.rank desc, b.parse_number desc, b.release_key desc
        limit 1
    ) as below_key
from meta.release as r;
comment on column meta.release.rank_basis is
'agency: the rank begins with the edition, and is above that of every retrieval of unknown edition. retrieved: by the instant alone.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(BELOW)
