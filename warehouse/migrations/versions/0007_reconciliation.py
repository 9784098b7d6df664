"""What became of each raw row."""

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Apply."""
