"""What readers see changes by row difference: which publication `bi` shows, and what a rollback takes back."""

from alembic import op

revision = "0011"
down_revision = "0010"

SHOWN = """
create table meta.shown (
    change_number bigint primary key,
    publication_key bigint not null,
    shape jsonb not null
);
comment on table meta.shown is 'One row is one change of what readers see; the last one names the publication that bi shows.';
comment on column meta.shown.change_number is 'The order of the changes.';
comment on column meta.shown.publication_key is 'The publication that readers saw after the change.';
comment on column meta.shown.shape is 'Relations of bi after the change: columns, types, key and remarks.';

create table meta.shown_row (
    change_number bigint not null references meta.shown on delete cascade,
    relation text not null,
    is_default boolean not null,
    went boolean not null,
    content jsonb not null
);
create index on meta.shown_row (change_number, relation);
comment on table meta.shown_row is 'One row is one row of bi that a change took away or brought; a rollback reverses it.';
comment on column meta.shown_row.change_number is 'The change.';
comment on column meta.shown_row.relation is 'The relation without its suffix.';
comment on column meta.shown_row.is_default is 'Whether it lies in bi itself; else in bi_rest.';
comment on column meta.shown_row.went is 'Whether the change took the row away; else it brought it.';
comment on column meta.shown_row.content is 'The row that went, whole; of a row that came its key.';
grant select on meta.shown, meta.shown_row to koshi_loader, koshi_transformer;

comment on schema bi is 'What readers see: the tables of the current publication, and views of all their rows.';
create schema bi_rest;
comment on schema bi_rest is 'What the tables of bi leave out: other row kinds and earlier vintages. Readers see it in views of bi.';
grant usage, create on schema bi_rest to koshi_transformer;
"""


def upgrade() -> None:
    """Apply."""
    op.execute(SHOWN)
