"""What became of each attempt to take in a dataset."""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Apply."""
