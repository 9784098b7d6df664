"""What a release was parsed by, and which parse of a delivery it is."""

from alembic import op

revision = "0005"
down_revision = "0004"

DELIVERIES = """
create table meta.delivery (
    source text not null,
    dataset text not null,
    delivery text not null,
    retrieved_at timestamptz not null,
    manifests text[] not null,
    shas text[] not null,
    declaration jsonb,
    primary key (source, dataset, delivery)
);
comment on table meta.delivery is
'The deliveries that were landed: their answers in the order of the questions, and what source.yml declared of the dataset then.';

insert into meta.delivery (source, dataset, delivery, retrieved_at, manifests, shas)
select distinct on (1, 2, 3)
    entry ->> 'source',
    entry ->> 'dataset',
    split_part(entry #>> '{snapshots,0,manifest}', '/', 4),
    (entry #>> '{snapshots,0,retrieved_at}')::timestamptz,
    (select array_agg(s ->> 'manifest' order by n) from jsonb_array_elements(entry -> 'snapshots') with ordinality as x (s, n)),
    (select array_agg(s ->> 'sha256' order by n) from jsonb_array_elements(entry -> 'snapshots') with ordinality as x (s, n))
from meta.journal_entry
where kind = 'landed'
order by 1, 2, 3, sequence desc;

create table meta.parser (
    source text not null,
    dataset text not null,
    parser_fingerprint text not null,
    primary key (source, dataset)
);
comment on table meta.parser is 'The parsing code that has read every delivery of the dataset.';
"""

RELEASES = """
drop view meta.release_below;
-- of two releases the bytes of their ranks decide, whatever language the database speaks
alter table meta.release alter column rank type text collate "C";
alter table meta.release
    add column delivery text,
    add column parse_number int not null default 1,
    add column parser_fingerprint text,
    add column verdict_fingerprint text,
    add column rows_at_hand boolean not null default true;
comment on column meta.release.parse_number is
'Which reading of the same bytes: a parser that reads them otherwise makes a release of its own, ranked directly above. A change of ours.';
comment on column meta.release.verdict_fingerprint is 'The code that gate 1 judged it by.';
comment on column meta.release.rows_at_hand is
'False where the code that replayed the journal reads the bytes otherwise: its rows are not here.';

update meta.release as r set delivery = (
    select split_part(s.manifest, '/', 4)
    from meta.release_snapshot as rs inner join meta.snapshot as s using (snapshot_key)
    where rs.release_key = r.release_key
    order by rs.position
    limit 1
);

create view meta.release_below as
select
    r.release_key,
    (
        select b.release_key
        from meta.release as b
        where
            b.source = r.source
            and b.dataset = r.dataset
            and b.slice = r.slice
            and b.state in ('accepted', 'held', 'published', 'superseded')
            and b.rows_at_hand
            and (b.rank, b.parse_number, b.release_key) < (r.rank, r.parse_number, r.release_key)
        order by b.rank desc, b.parse_number desc, b.release_key desc
        limit 1
    ) as below_key
from meta.release as r;
comment on view meta.release_below is 'For each release the accepted release of the same slice ranked directly below it.';
"""

GRANTS = """
grant select, insert, update, delete on meta.delivery, meta.parser, meta.release_below to koshi_loader;
grant select on meta.delivery, meta.parser, meta.release_below to koshi_transformer;
"""


def upgrade() -> None:
    """Apply."""
    for statements in (DELIVERIES, RELEASES, GRANTS):
        op.execute(statements)
