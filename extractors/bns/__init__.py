"""Bureau of National Statistics of Kazakhstan: what it is asked, and how its answers are read (docs/sources/bns.md)."""
