"""What a check asks Great Expectations and how it names the rows at fault: one rule."""

from __future__ import annotations

import dataclasses

from expectations.check import at_least, at_most, no_issue, unique


def test_a_check_states_its_rule_once() -> None:
    """What names the rows at fault follows the expectation's own parameters."""
    changes = {
        at_most("value", 9, "no more at hand"): ({"max_value": 7.5}, "expected at most 7.5') as detail from {batch} where value > 7.5"),
        at_least("value", 0): ({"min_value": 5.0}, "value < 5"),
        no_issue("value", "reject"): ({"column": "area_issue"}, "area_issue is not null"),
        unique(("area_code",)): ({"column_list": ["release_key", "year"]}, "partition by release_key, year)"),
    }
    for check, (change, rule) in changes.items():
        assert rule not in check.offenders
        assert rule in dataclasses.replace(check, expectation=check.expectation.copy(update=change)).offenders
