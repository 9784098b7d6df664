"""What an export says when it cannot be made."""

from __future__ import annotations


class ExportError(RuntimeError):
    """There is nothing to export, or what is there cannot be written in a format; the message names relation, column and value."""
