"""The suites: one module a source (gate 1, by dataset) and `publication.py` (gate 2, the candidate)."""
