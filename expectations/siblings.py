"""Which datasets a held one is compared with and has to do without: a sibling that did not come is no fault of the one that did."""

from __future__ import annotations

from expectations.suites.publication import suite


def absent(dataset: str, reason: str, present: set[str]) -> list[str]:
    """Of the datasets that the failed checks named in `reason` compare with `dataset`, those that are not `present`."""
    failed = [check for check in suite("any").checks if check.name in reason and dataset in check.reads]
    return sorted({name for check in failed for name in check.reads} - present - {dataset})
