"""The ledger, the raw tables of the national bureau, quality and the readers' schema."""

from alembic import op

revision = "0001"
down_revision = None

SCHEMAS = """
create schema raw;
comment on schema raw is 'Answers of the agencies as rows of text, as sourced; one table per shape of answer.';
comment on schema meta is 'The ledger: snapshots, releases, publications, decisions, runs, and the mirror of the journal.';
create schema quality;
comment on schema quality is 'Validation history and quarantine pointers.';
create schema bi;
comment on schema bi is 'What readers see: views over the current publication.';
grant usage, create on schema bi to koshi_transformer;
grant usage on schema bi to bi_reader;
"""

LEDGER = """
create table meta.journal_entry (
    sequence bigint primary key,
    kind text not null,
    entry jsonb not null,
    recorded_at timestamptz not null default now()
);
comment on table meta.journal_entry is 'Mirror of the journal: the entries that this database has applied.';

create table meta.snapshot (
    snapshot_key bigint primary key,
    source text not null,
    dataset text not null,
    sha256 text not null,
    size_bytes bigint not null,
    manifest text not null,
    method text not null,
    url text not null,
    request jsonb not null,
    retrieved_at timestamptz not null,
    status int not null,
    capture text not null check (capture in ('live', 'recorded', 'reconstructed', 'transcribed')),
    licence text not null,
    attribution text not null,
    unique (source, dataset, sha256, manifest)
);
comment on table meta.snapshot is 'The exact bytes of one answer: where they lie in the archive, what was asked, when, which licence.';

create table meta.release (
    release_key bigint primary key,
    source text not null,
    dataset text not null,
    slice text not null,
    edition text not null,
    rank text not null,
    rank_basis text not null check (rank_basis in ('agency', 'retrieved')),
    state text not null check (state in ('landed', 'accepted', 'rejected', 'held', 'published', 'superseded', 'withdrawn')),
    reason text,
    capture text not null,
    licence text not null,
    attribution text not null,
    rows_landed bigint not null,
    rows_out_of_scope bigint not null,
    rows_quarantined bigint not null default 0,
    row_digest text not null,
    code_fingerprint text not null,
    held_in_candidate bigint,
    recorded_at timestamptz not null default now()
);
create index release_slice on meta.release (source, dataset, slice, rank);
comment on table meta.release is 'One delivery of one slice, its rank among the releases of that slice, and its state.';

create table meta.release_snapshot (
    release_key bigint not null references meta.release,
    snapshot_key bigint not null references meta.snapshot,
    position int not null,
    primary key (release_key, position)
);
comment on table meta.release_snapshot is 'Which snapshots make a release, in order.';

create table meta.confirmation (
    release_key bigint not null references meta.release,
    edition text not null,
    rank text not null,
    snapshot_key bigint not null references meta.snapshot,
    recorded_at timestamptz not null default now(),
    primary key (release_key, edition)
);
comment on table meta.confirmation is 'The same rows under a new label: the agency confirmed the release, nothing was revised.';

create table meta.publication (
    publication_key bigint primary key,
    number int not null,
    code_fingerprint text not null,
    core_fingerprint text not null,
    is_current boolean not null,
    is_kept boolean not null,
    published_at timestamptz not null default now()
);
create unique index publication_current on meta.publication (is_current) where is_current;
comment on table meta.publication is 'The moments in which readers started to see a set of releases; the last three are kept.';

create table meta.candidate_release (
    release_key bigint primary key references meta.release,
    is_current boolean not null
);
comment on table meta.candidate_release is 'What the candidate in the making is built from; of each slice one release is current.';

create table meta.publication_release (
    publication_key bigint not null references meta.publication,
    release_key bigint not null references meta.release,
    is_current boolean not null,
    primary key (publication_key, release_key)
);
comment on table meta.publication_release is 'The releases of each publication; of each slice one is current.';

create table meta.decision (
    sequence bigint primary key,
    kind text not null check (kind in ('accept', 'hold', 'withdraw', 'pin', 'unpin')),
    release_key bigint,
    publication_key bigint,
    person text not null,
    reason text not null,
    recorded_at timestamptz not null default now()
);
comment on table meta.decision is 'What a person decided, with the reason.';

create table meta.run (
    run_id uuid primary key,
    started_at timestamptz not null,
    finished_at timestamptz,
    outcome text,
    code_fingerprint text not null,
    summary jsonb
);
comment on table meta.run is 'Runs of the main job and what they ended with.';

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
            and (b.rank, b.release_key) < (r.rank, r.release_key)
        order by b.rank desc, b.release_key desc
        limit 1
    ) as below_key
from meta.release as r;
comment on view meta.release_below is 'For each release the accepted release of the same slice ranked directly below it.';
"""

RAW = """
create table raw.bns_taldau (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    index_id text,
    period_type text,
    dictionaries text,
    terms text,
    term_id text,
    term_name text,
    measure_name text,
    period text,
    value text
);
create index bns_taldau_release on raw.bns_taldau (_release_key);
comment on table raw.bns_taldau is 'Taldau tree answers: one row is one value of one node. _row is the JSON pointer of the value.';

create table raw.bns_table (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    element_id text,
    indicator text,
    unit text,
    sheet text,
    section text,
    territory text,
    locality text,
    ethnicity text,
    sex text,
    age text,
    period text,
    value text
);
create index bns_table_release on raw.bns_table (_release_key);
comment on table raw.bns_table is 'Tables of stat.gov.kz: one row is one cell. _row is the cell address or the line.';
"""

QUALITY = """
create table quality.validation_result (
    result_key bigint primary key,
    gate text not null,
    subject text not null,
    dataset text,
    release_key bigint,
    publication_key bigint,
    expectation text not null,
    dimension text not null,
    severity text not null check (severity in ('critical', 'warning')),
    outcome text not null check (outcome in ('reject', 'quarantine', 'warn', 'hold')),
    success boolean not null,
    unexpected_count bigint not null,
    observed text,
    code_fingerprint text not null,
    recorded_at timestamptz not null default now()
);
comment on table quality.validation_result is 'Every result of every gate, tagged with the statistical quality dimension it serves.';

create table quality.quarantine (
    release_key bigint not null references meta.release,
    snapshot_key bigint not null,
    source_row text not null,
    rule text not null,
    detail text not null,
    first_seen timestamptz not null default now(),
    resolved_at timestamptz,
    primary key (release_key, snapshot_key, source_row, rule)
);
comment on table quality.quarantine is 'Pointers to rows that no mart may use: the row itself stays in raw.';
"""

GRANTS = """
grant usage on schema raw, meta, quality to koshi_loader, koshi_transformer;
grant select, insert, update, delete on all tables in schema raw, meta, quality to koshi_loader;
grant select on all tables in schema raw, meta, quality to koshi_transformer;
-- gate 1 lays the rows under test into a table of their own
grant create on schema quality to koshi_loader;
alter default privileges in schema raw, meta, quality grant select, insert, update, delete on tables to koshi_loader;
alter default privileges in schema raw, meta, quality grant select on tables to koshi_transformer;
"""


def upgrade() -> None:
    """Apply."""
    for statements in (SCHEMAS, LEDGER, RAW, QUALITY, GRANTS):
        op.execute(statements)
