"""Releases that wait for a person's decision, slices that a delivery lacks, and clocks that were ahead."""

from alembic import op

revision = "0010"
down_revision = "0009"

UNDECIDED = """
alter table meta.release
    drop constraint release_state_check,
    add constraint release_state_check check (
        state in ('landed', 'accepted', 'rejected', 'undecided', 'held', 'published', 'superseded', 'withdrawn')
    );
alter table meta.attempt
    drop constraint attempt_outcome_check,
    add constraint attempt_outcome_check check (
        outcome in ('taken', 'unchanged', 'skipped', 'rejected', 'undecided', 'waiting for', 'failed')
    );

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
            and (b.rank, b.parse_number, b.release_key) < (r.rank, r.parse_number, r.release_key)
        order by b.rank desc, b.parse_number desc, b.release_key desc
        limit 1
    ) as below_key
from meta.release as r;
comment on view meta.release_below is
'For each release the one of the same slice ranked directly below it that readers can see: neither held nor waiting for a decision.';
"""

DELIVERY = """
alter table meta.delivery
    add column lacks text[] not null default '{}',
    add column came_after text;
comment on column meta.delivery.lacks is
'Slices that readers have from the same question and that are not in the answer any more.';
comment on column meta.delivery.came_after is
'Where a clock was ahead and retrieved_at had yet to come: when the delivery came that was landed before it. It ranks by that.';
"""


def upgrade() -> None:
    """Apply."""
    for statements in (UNDECIDED, DELIVERY):
        op.execute(statements)
