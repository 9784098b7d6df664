"""The suites: `gate1.py` of each source by dataset, `publication.py` for the candidate."""
