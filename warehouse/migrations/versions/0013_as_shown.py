"""Which releases of the candidate readers see just so already: their keys need no second look. Publications are found by release."""

from alembic import op

revision = "0013"
down_revision = "0012"

AS_SHOWN = """
alter table meta.candidate_release add column is_as_shown boolean not null default false;
comment on column meta.candidate_release.is_as_shown is
'Whether readers see the release just so, from a publication by this code of which the tests that look for keys passed.';
create index publication_release_release on meta.publication_release (release_key);
"""


def upgrade() -> None:
    """Apply."""
    op.execute(AS_SHOWN)
