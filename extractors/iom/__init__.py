"""IOM Missing Migrants Project: what it is asked, and how its answers are read (docs/sources/iom.md)."""
