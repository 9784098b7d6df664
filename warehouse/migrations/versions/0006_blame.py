"""What a check's rule was, and in which company a release was held."""

from alembic import op

revision = "0006"
down_revision = "0005"

BLAME = """
alter table meta.release add column held_with bigint, add column held_datasets text[];
comment on column meta.release.held_in_candidate is
'Publication key of the candidate for which gate 2 held the release; null: a person did.';
comment on column meta.release.held_with is
'Key of the code and of the releases of held_datasets when it was held: it is tried again when they are others.';
comment on column meta.release.held_datasets is 'The datasets with which gate 2 judged a held release; empty: all.';
alter table quality.validation_result add column rule_fingerprint text;
comment on column quality.validation_result.rule_fingerprint is
'Of gate 2: a fingerprint of the rule as it stood. A rule with another one is new to what readers have. Null in old results.';
"""


def upgrade() -> None:
    """Apply."""
    op.execute(BLAME)
