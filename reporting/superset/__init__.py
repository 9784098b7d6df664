"""A dashboard as code for Superset: what its import takes, made of what `bi` says of its own columns."""
