"""What a check's rule was, and in which company a release was held."""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Apply."""
