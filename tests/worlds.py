"""Warehouses without dbt: releases are entries of the ledger, a publication is one table, and rules are functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from psycopg import sql

from expectations.judgement import Failure, Judgement, Row
from warehouse import ledger
from warehouse.build import BUILT
from warehouse.candidate import Candidate
from warehouse.connection import connect
from warehouse.fingerprint import code_fingerprint
from warehouse.journal import Journal, now
from warehouse.keys import content_key
from warehouse.profile import Profile

# The values of the current releases by `dataset/slice`, and by the same name their keys, give the rows that fail
Rule = Callable[[Mapping[str, int], Mapping[str, int]], list[Row]]


class World:
    """Releases of the source `s`, each with one value, and the rules that hold between the current ones."""

    def __init__(self, profile: Profile) -> None:
        self.profile, self.values, self.rules, self.builds = profile, dict[int, int](), dict[str, tuple[str, Rule]](), 0
        # what the code of the moment makes of a release, and its key
        self.columns, self.key = "dataset, slice, release_key", "dataset, slice"
        self.indexes: tuple[str, ...] = ()

    def deliver(self, dataset: str, rank: str, value: int, slice_name: str = "all", edition: str = "") -> int:
        """An accepted release, as landing and gate 1 record it; returns its key."""
        edition = edition or rank
        key = content_key("release", "s", dataset, slice_name, edition, rank, str(value))
        snapshot = content_key("snapshot", str(key))
        licence = {"capture": "live", "licence": "none", "attribution": "nobody"}
        made_of = {"source": "s", "dataset": dataset} | licence
        snapshots = made_of | {
            "snapshot_key": snapshot, "sha256": f"{snapshot}", "size_bytes": 1,
            "manifest": f"manifests/s/{dataset}/{snapshot}/001.json", "method": "GET", "url": "",
            "request": {}, "retrieved_at": now(), "status": 200,
        }  # fmt: skip
        release = made_of | {
            "release_key": key, "slice": slice_name, "edition": edition, "rank": rank, "rank_basis": "agency", "state": "landed",
            "reason": None, "rows_landed": 1, "rows_out_of_scope": 0, "row_digest": str(value), "code_fingerprint": code_fingerprint(),
            "snapshot_keys": [snapshot],
        }  # fmt: skip
        verdict = {"release_key": key, "state": "accepted", "reason": None, "quarantined": []}
        self._record("landed", {"source": "s", "dataset": dataset, "snapshots": [snapshots], "releases": [release], "confirmations": []})
        self._record("judged", {"code_fingerprint": code_fingerprint(), "releases": [verdict], "results": []})
        self.values[key] = value
        return key

    def rule(self, name: str, rule: Rule, fingerprint: str = "1") -> None:
        """From now on the rule is asked of every candidate."""
        self.rules[name] = (fingerprint, rule)

    def __call__(self, profile: Profile, candidate: Candidate) -> Judgement:
        """Makes the candidate's schema and judges it."""
        self.builds += 1
        with connect(profile, "koshi_transformer") as connection:
            schema = sql.Identifier(candidate.schema)
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(schema))
            connection.execute(sql.SQL("create schema {}").format(schema))
            keys = [key for key, is_current in candidate.releases if is_current]
            connection.execute(
                sql.SQL("create table {}.figures as select {} from meta.release where release_key = any({})").format(
                    schema, sql.SQL(self.columns), sql.Literal(keys)
                )
            )
            connection.execute(sql.SQL("alter table {}.figures add primary key ({})").format(schema, sql.SQL(self.key)))
            for index in self.indexes:
                connection.execute(sql.SQL("create index on {}.figures ({})").format(schema, sql.SQL(index)))
            connection.execute(sql.SQL("comment on schema {} is {}").format(schema, sql.Literal(BUILT)))
            rows = connection.execute(
                "select dataset || '/' || slice, release_key from meta.release where release_key = any(%s)", [keys]
            ).fetchall()
        current = {str(name): int(key) for name, key in rows}
        values = {name: self.values[key] for name, key in current.items()}
        judgement = Judgement()
        for name, (fingerprint, rule) in self.rules.items():
            failing = rule(values, current)
            judgement.results.append(_result(candidate, name, fingerprint, len(failing)))
            if failing:
                count = sum(row.waits_for is None for row in failing)
                judgement.failures.append(Failure(name, name, tuple(failing), None, frozenset(), fingerprint, count))
        return judgement

    def _record(self, kind: str, body: dict[str, Any]) -> None:
        with connect(self.profile, "koshi_loader") as connection:
            ledger.record(connection, Journal(self.profile.journal), kind, body)


def _result(candidate: Candidate, name: str, fingerprint: str, count: int) -> dict[str, Any]:
    return {
        "gate": "gate 2", "subject": candidate.schema, "publication_key": candidate.key, "expectation": name, "dimension": "coherence",
        "severity": "critical", "outcome": "hold", "rule_fingerprint": fingerprint, "success": not count, "unexpected_count": count,
        "observed": None,
    }  # fmt: skip


def equal(*names: str) -> Rule:
    """The current releases of these have one value; a failing row names them all. Where one is missing nothing is compared."""

    def rule(values: Mapping[str, int], keys: Mapping[str, int]) -> list[Row]:
        there = [name for name in names if name in values]
        if len(there) < len(names) or len({values[name] for name in there}) == 1:
            return []
        return [Row(frozenset(keys[name] for name in there))]

    return rule


def below(limit: int) -> Rule:
    """No value reaches the limit; a failing row names the one release."""
    return lambda values, keys: [Row(frozenset({keys[name]})) for name, value in sorted(values.items()) if value >= limit]
