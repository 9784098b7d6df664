"""Flat records: what sources are asked, and how their answers are read, where `source.yml` declares both (docs/decisions/0023)."""
