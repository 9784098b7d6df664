"""The raw table of the UNESCO Institute for Statistics."""

from alembic import op

revision = "0002"
down_revision = "0001"

RAW = """
create table raw.uis_observation (
    _release_key bigint not null,
    _snapshot_key bigint not null,
    _row text not null,
    indicator_id text,
    geo_unit text,
    year text,
    value text,
    magnitude text,
    qualifier text
);
create index uis_observation_release on raw.uis_observation (_release_key);
comment on table raw.uis_observation is
'Answers of the UIS data API: one row is one record. _row is its JSON pointer, after the answer''s position where there are several.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(RAW)
