"""What a release was parsed by, and which parse of a delivery it is."""

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Apply."""
