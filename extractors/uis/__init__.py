"""UNESCO Institute for Statistics: what it is asked, and how its answers are read (docs/sources/uis.md)."""
