"""From an agency to a landed release: one folder a source, and what they share."""
