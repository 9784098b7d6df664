"""Raw tables of the migrant stock workbooks and of the Missing Migrants Project."""

from alembic import op

revision = "0003"
down_revision = "0002"

RAW = """
create table raw.undesa_stock (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    sheet text,
    block text,
    line_number text,
    destination text,
    destination_notes text,
    coverage text,
    destination_code text,
    data_type text,
    origin text,
    origin_code text,
    period text,
    value text
);
create index undesa_stock_release on raw.undesa_stock (_release_key);
comment on table raw.undesa_stock is
'Tables of the migrant stock workbooks: one row is one cell of figures; origin is empty in tables by destination. _row is the cell.';

create table raw.iom_missing_migrants (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    web_id text,
    region text,
    reported_date text,
    number_dead text,
    number_missing text,
    total_dead_and_missing text,
    number_of_survivors text,
    number_of_female text,
    number_of_male text,
    number_of_children text,
    country_of_incident text,
    location_coodinates text,
    source_quality text,
    cause_death text,
    location_description text,
    unsd_geographic_grouping text,
    migration_route text,
    information_source text,
    url text,
    region_origin text,
    country_origin text,
    other_fields text
);
create index iom_missing_migrants_release on raw.iom_missing_migrants (_release_key);
comment on table raw.iom_missing_migrants is
'Incidents of the Missing Migrants Project: one row is one object of a year. _row is the year and the JSON pointer in its answer.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(RAW)
