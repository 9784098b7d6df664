"""Population Division of the United Nations: what it is asked, and how its answers are read (docs/sources/undesa.md)."""
