"""Raw tables of figures transcribed from print and of the bureau's matrix of internal moves."""

from alembic import op

revision = "0004"
down_revision = "0003"

RAW = """
create table raw.printed_figure (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    figure_id text,
    document text,
    locator text,
    measure text,
    unit text,
    period_start text,
    period_end text,
    reporting_area text,
    counterpart_area text,
    region text,
    direction text,
    scope text,
    breakdown text,
    category text,
    value text,
    value_high text,
    qualifier text,
    tolerance text,
    remark text
);
create index printed_figure_release on raw.printed_figure (_release_key);
comment on table raw.printed_figure is 'Figures transcribed from print: one row is one figure. _row is the line of the transcription.';

create table raw.bns_matrix (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    period text,
    origin text,
    destination text,
    value text
);
create index bns_matrix_release on raw.bns_matrix (_release_key);
comment on table raw.bns_matrix is 'Moves between regions: one row is one pair of origin and destination in one year. _row is the line.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(RAW)
