"""What dbt needs of the datasets whose staging is a contract: written by `make contracts` from `source.yml`, and committed.

Of each dataset a staging view with its description, and in `dbt/vars.yml` what facts and dimensions ask: the view, its cube, its
indicators. A dataset of which any of the three is not as the contract says is left out of the project, so that it keeps nothing else from
being built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from warehouse.profile import ROOT

COMMAND = "make contracts"
VARS = "dbt/vars.yml"
HEAD = f"# Written by `{COMMAND}` from the blocks `staging` of extractors/*/source.yml: change those, not this file.\n"
# What is not a figure, by why (seed obs_status)
MISSING = {"not_available": "O", "suppressed": "Q", "not_applicable": "M", "included_elsewhere": "K", "not_collected": "L"}
# What the codes of an area are, in words
SYSTEMS = {
    "code": "a code of seed area", "iso2": "an ISO 3166 alpha-2 code of seed area", "iso3": "an ISO 3166 alpha-3 code of seed area",
    "m49": "an M49 number of seed area", "region": "a code of seed region", "kato": "a KATO code of seed region",
    "ref_area": "a REF_AREA of seed region",
}  # fmt: skip


class Contract(NamedTuple):
    """A dataset whose staging is a contract: its declaration as it stands in the file."""

    source: str
    name: str
    dataset: Mapping[str, Any]

    @property
    def of(self) -> str:
        """`source.dataset`; the code of its cube, too."""
        return f"{self.source}.{self.name}"

    @property
    def view(self) -> str:
        """Its staging view."""
        return f"stg_{self.source}__{self.name}"

    @property
    def folder(self) -> str:
        """Where its view lies."""
        return f"dbt/models/staging/{self.source}"

    @property
    def staging(self) -> Mapping[str, Any]:
        """The contract."""
        found: Mapping[str, Any] = self.dataset["staging"]
        return found


def contracts(root: Path) -> list[Contract]:
    """Every dataset of `root` whose staging is a contract. A file that is no `source.yml` has none: whoever loads it says what is wrong."""
    found = []
    for file in sorted((root / "extractors").glob("*/source.yml")):
        try:
            text = file.read_text("utf-8")
            # parsing takes longer than looking
            datasets = yaml.safe_load(text)["datasets"] if "staging:" in text else {}
            found += [Contract(file.parent.name, name, each) for name, each in datasets.items() if isinstance(each.get("staging"), dict)]
        except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
            continue
    return found


def write(root: Path | None = None) -> list[str]:
    """Writes what is not as the contracts say; returns the files that were changed."""
    root = root or ROOT
    all_of_them, changed = contracts(root), list[str]()
    wanted = {VARS: HEAD + _yaml({"vars": {"contracts": [_entry(one) for one in all_of_them]}})}
    for one in all_of_them:
        wanted |= files(one)
    for name, text in wanted.items():
        file = root / name
        if not file.is_file() or file.read_text("utf-8") != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            changed.append(name)
    return changed


def files(one: Contract) -> dict[str, str]:
    """The view of a contract and its description, by file."""
    return {f"{one.folder}/{one.view}.sql": _view(one), f"{one.folder}/{one.view}.yml": _description(one)}


def differing(root: Path, one: Contract) -> list[str]:
    """The files that are not as the contract says."""
    try:
        found = [name for name, text in files(one).items() if not (root / name).is_file() or (root / name).read_text("utf-8") != text]
        return found + ([] if _entry(one) in _entries(root) else [VARS])
    except (KeyError, TypeError, AttributeError, ValueError):
        return [f"extractors/{one.source}/source.yml"]  # the file does not load, either


def _entries(root: Path) -> list[dict[str, Any]]:
    """What `vars.yml` has of the contracts."""
    try:
        return list(yaml.safe_load((root / VARS).read_text("utf-8"))["vars"]["contracts"])
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return []


def variables(root: Path | None = None) -> dict[str, Any]:
    """The variables that dbt is called with beside its `vars.yml`: none, unless a contract is not followed and has to be left out."""
    return dict(_variables(root or ROOT))


@cache
def _variables(root: Path) -> dict[str, Any]:
    whole = [_entry(one) for one in contracts(root) if not differing(root, one)]
    return {} if whole == _entries(root) else {"contracts": whole}


def _entry(one: Contract) -> dict[str, Any]:
    """What facts and dimensions ask of a contract."""
    title, indicators = one.dataset["title"], one.staging["indicators"]
    return {
        "name": one.of,
        "view": one.view,
        "source": one.source,
        "dataset": one.name,
        "table": one.dataset["request"]["path"],
        "counted": one.staging["counted"],
        "unit": ", ".join(sorted({each["unit"] for each in indicators.values()})),
        "title": {language: title[language] for language in ("kk", "ru", "en")},
        "indicators": [
            {
                "code": f"{one.of}.{name}",
                "text": each.get("text") or name,
                "unit": each["unit"],
                "title": {language: each["title"][language] for language in ("kk", "ru", "en")},
            }
            for name, each in indicators.items()
        ],
    }


def _yaml(content: Any) -> str:
    return yaml.safe_dump(content, allow_unicode=True, sort_keys=False, width=140)


COLUMNS = {
    "source": "source", "dataset": "dataset", "slice": "slice", "release_key": "release_staged", "snapshot_key": "snapshot_key",
    "source_row": "source_row", "cube_code": "cube_code", "area_code": "area_staged", "counterpart_area_code": "counterpart_of_indicator",
    "indicator_code": "indicator", "sex_code": "sex", "period_kind": "period_kind", "period_start_date": "period_start_date_staged",
    "period_end_date": "period_end_date_staged", "year": "year_staged", "estimate_kind": "estimate_kind", "value": "figure_staged",
    "obs_status": "obs_status_staged", "value_missing_reason": "value_missing_reason_staged", "break_kind": "break_kind",
    "area_as_sourced": "area_as_sourced", "period_as_sourced": "period_as_sourced", "value_as_sourced": "value_as_sourced",
    "value_issue": "value_issue", "area_issue": "area_issue", "period_issue": "period_issue", "unit_issue": "unit_issue",
    "member_issue": "member_issue", "dropped_because": "dropped_because",
}  # fmt: skip


def _description(one: Contract) -> str:
    """The raw table as a source of dbt, and the view's columns."""
    described = "One row is one figure as the contract in source.yml says, typed; what cannot be typed leaves NULL and an issue."
    columns = [{"name": name, "description": f"{{{{ doc('{text}') }}}}"} for name, text in COLUMNS.items()]
    table = {"name": one.name, "identifier": one.dataset["shape"], "description": f"One row is one figure of {one.name} as sourced."}
    source = {"name": one.source, "schema": "raw", "tables": [table]}
    model = {"name": one.view, "description": f"{described} {one.of}.", "columns": columns}
    return HEAD + _yaml({"version": 2, "sources": [source], "models": [model]})


def _quoted(text: str) -> str:
    """The text as SQL writes it."""
    return "'" + str(text).replace("'", "''") + "'"


def _named(column: str) -> str:
    """A column of the raw table: the agency's word may be one of SQL."""
    return f'"{column}"'


def _list(texts: Any) -> str:
    return ", ".join(_quoted(text) for text in texts)


def _case(column: str, codes: Mapping[str, str], indent: str, otherwise: str = "") -> str:
    """The code that the text of a column stands for."""
    lines = [f"case coalesce(btrim({column}), '')"]
    lines += [f"{indent}    when {_quoted(text)} then {_quoted(code)}" for text, code in codes.items()]
    return "\n".join([*lines, *([f"{indent}    else {otherwise}"] if otherwise else []), f"{indent}end"])


def _view(one: Contract) -> str:
    """The SQL of the staging view."""
    return "\n".join(
        [
            f"{{# Written by `{COMMAND}` from extractors/{one.source}/source.yml, `staging` of {one.name}: change that, not this. #}}",
            f"{{{{ config(enabled='{one.of}' in var('contracts', []) | map(attribute='name')) }}}}",
            "",
            *_records(one),
            *_areas(one),
            *_typed(one),
            *_resolved(one),
            *_judged(one),
            *_selected(one),
            "",
        ]
    )


def _records(one: Contract) -> Iterator[str]:
    said = one.staging
    columns = {
        "area_as_sourced": said["area"].get("column"),
        "counterpart_as_sourced": (said.get("counterpart") or {}).get("column"),
        "period_as_sourced": said["period"]["column"],
        "indicator_as_sourced": said.get("indicator"),
        "value_as_sourced": said["value"],
        "status_as_sourced": (said.get("status") or {}).get("column"),
        "sex_as_sourced": (said.get("sex") or {}).get("column"),
        "unit_as_sourced": (said.get("unit") or {}).get("column"),
    }
    yield from ("with records as (", "    select", "        _release_key,", "        _snapshot_key,", "        _row,")
    for name, column in columns.items():
        yield f"        {_named(column) if column else 'null::text'} as {name},"
    if not said.get("dropped"):
        yield "        null::text as dropped_because"
    else:
        yield "        case"
        for each in said["dropped"]:
            yield f"            when btrim({_named(each['column'])}) in ({_list(each['texts'])})"
            yield f"                then {_quoted(each['because'])}"
        yield "        end as dropped_because"
    yield from (f"    from {{{{ source('{one.source}', '{one.name}') }}}}", "),", "")
    yield from ("releases as (", f"    {{{{ release_rows('{one.source}', ['{one.name}']) }}}}", "),", "")


def _ends(one: Contract) -> list[tuple[str, str, Mapping[str, Any]]]:
    """The areas that a column says: relation, what is sourced, declaration."""
    said = one.staging
    ends = [("areas", "area_as_sourced", said["area"]), ("counterparts", "counterpart_as_sourced", said.get("counterpart") or {})]
    return [end for end in ends if end[2].get("column")]


def _areas(one: Contract) -> Iterator[str]:
    for relation, _, end in _ends(one):
        also = ", ".join(f"{_jinja(text)}: {_jinja(code)}" for text, code in (end.get("also") or {}).items())
        yield from (f"{relation} as (", f"    {{{{ areas_by('{end.get('codes', 'code')}', {{{also}}}) }}}}", "),", "")


def _jinja(text: str) -> str:
    return '"' + str(text).replace('"', '\\"') + '"'


def _typed(one: Contract) -> Iterator[str]:
    said, period = one.staging, one.staging["period"]
    yield from ("typed as (", "    select", "        releases.source,", "        releases.dataset,", "        releases.slice,")
    yield "        records.*,"
    texts = {each.get("text") or name: f"{one.of}.{name}" for name, each in said["indicators"].items()}
    if said.get("indicator"):
        yield f"        {_case('records.indicator_as_sourced', texts, '        ')} as indicator_code,"
    else:
        yield f"        {_quoted(next(iter(texts.values())))}::text as indicator_code,"
    if sex := said.get("sex"):
        yield f"        {_case('records.sex_as_sourced', sex['codes'], '        ')} as sex_code,"
    else:
        yield "        '_T'::text as sex_code,"
    gaps = {"": "not_available"} | {str(text).strip(): reason for text, reason in (said.get("gaps") or {}).items()}
    yield f"        {_case('records.value_as_sourced', gaps, '        ')} as gap,"
    if status := said.get("status"):
        marks = {"": "A"} | {str(text).strip(): code for text, code in status["codes"].items()}
        yield f"        {_case('records.status_as_sourced', marks, '        ')} as status,"
    else:
        yield "        'A'::text as status,"
    yield "        {{ plain_number('records.value_as_sourced') }} as number,"
    yield f"        {{{{ first_day('records.period_as_sourced', '{period.get('form', 'year')}') }}}} as first_day"
    yield from ("    from records", "    inner join releases on records._release_key = releases.release_key", "),", "")


def _resolved(one: Contract) -> Iterator[str]:
    said, ends = one.staging, {relation for relation, *_ in _ends(one)}
    yield from ("resolved as (", "    select", "        typed.*,", "        extract(year from typed.first_day)::int as year,")
    yield f"        {'areas.area_code' if 'areas' in ends else _quoted(said['area']['always']) + '::text as area_code'},"
    if "counterparts" in ends:
        yield "        counterparts.area_code as counterpart_area_code"
    else:  # one area alone has no other end
        yield f"        {_quoted((said.get('counterpart') or {}).get('always') or '_Z')}::text as counterpart_area_code"
    yield "    from typed"
    for relation, column, end in _ends(one):
        codes = end.get("codes", "code")
        yield f"    left join {relation} on {{{{ is_area('{relation}', 'typed.{column}', '{codes}', 'typed.first_day') }}}}"
    yield from ("),", "")


def _judged(one: Contract) -> Iterator[str]:
    said = one.staging
    expected = _either(["a plain number", *(said.get("gaps") or {}), "nothing"])
    yield from ("judged as (", "    select", "        *,", "        case", "            when dropped_because is not null then null")
    if status := said.get("status"):
        marks = _either([*status["codes"], "nothing"])
        yield "            when status is null"
        yield f"                then {_found('mark ', 'status_as_sourced', marks)}"
    yield "            when gap is null and number is null"
    yield f"                then {_found('', 'value_as_sourced', expected)}"
    whole = {name for name, each in said["indicators"].items() if each["unit"] == "persons"}
    yield from _refused(one, whole, "not {{ is_whole_number('value_as_sourced') }}", "whole persons")
    marked = {name for name, each in said["indicators"].items() if name not in whole and not each.get("three_decimals")}
    doubt = "no mark before three digits: it could be one of thousands"
    yield from _refused(one, marked, "{{ could_be_thousands('value_as_sourced') }}", doubt)
    unsigned = {name for name, each in said["indicators"].items() if not each.get("signed")}
    yield from _refused(one, unsigned, "number < 0", "no negative number")
    yield from ("        end as value_issue", "    from resolved", ")", "")


def _refused(one: Contract, names: set[str], condition: str, expected: str) -> Iterator[str]:
    """What figures of these indicators may not be."""
    if not names:
        return
    yield from ("            when", "                gap is null", f"                and {condition}")
    if names != set(one.staging["indicators"]):
        yield "                and indicator_code in ("
        yield ",\n".join(f"                    '{one.of}.{name}'" for name in sorted(names))
        yield "                )"
    yield f"                then {_found('', 'value_as_sourced', expected)}"


def _either(texts: list[Any]) -> str:
    """What was expected, in words that a line of SQL has room for."""
    said = " or ".join(str(text).strip() or "nothing" for text in texts)
    return said if len(said) <= 60 else f"one of the {len(texts)} texts of the contract"


def _found(what: str, column: str, expected: str) -> str:
    return f"{_quoted(f'found {what}')} || quote_nullable({column}) || {_quoted(f', expected {expected}')}"


def _selected(one: Contract) -> Iterator[str]:
    said, period = one.staging, one.staging["period"]
    form, at = period.get("form", "year"), period.get("at")
    yield from (
        "select",
        "    {{ address() }},",
        f"    {_quoted(one.of)}::text as cube_code,",
        "    area_code,",
        "    counterpart_area_code,",
    )
    yield from ("    case when dropped_because is null then indicator_code end as indicator_code,", "    sex_code,")
    if at:
        day = f"make_date(year, {int(at[:2])}, {int(at[3:])})"
        yield from ("    'instant'::text as period_kind,", f"    {day} as period_start_date,", f"    {day} as period_end_date,")
    elif form == "day":
        yield from ("    'instant'::text as period_kind,", "    first_day as period_start_date,", "    first_day as period_end_date,")
    else:
        yield from (f"    '{form}'::text as period_kind,", "    first_day as period_start_date,")
        yield f"    (first_day + interval '1 {form}' - interval '1 day')::date as period_end_date,"
    yield from ("    year,", f"    {_quoted(said['estimate_kind'])}::text as estimate_kind,")
    yield "    (case when value_issue is null and gap is null then number end)::numeric(20, 6) as value,"
    yield from ("    case", "        when value_issue is null")
    yield "            then"
    yield f"                {_case('gap', MISSING, '                ', 'status')}"
    yield from ("    end as obs_status,", "    case when value_issue is null then gap end as value_missing_reason,")
    if breaks := said.get("breaks"):
        yield f"    {_case('year::text', breaks, '    ')} as break_kind,"
    else:
        yield "    null::text as break_kind,"
    yield from ("    area_as_sourced,", "    period_as_sourced,", "    value_as_sourced,", "    value_issue,")
    yield from _area_issue(one)
    spelled = {"year": "a year YYYY", "month": "a month YYYY-MM", "day": "a day YYYY-MM-DD"}[form]
    yield from ("    case", "        when dropped_because is null and first_day is null")
    yield from (f"            then {_found('', 'period_as_sourced', spelled)}", "    end as period_issue,")
    if unit := said.get("unit"):
        yield from ("    case", f"        when (btrim(unit_as_sourced) = {_quoted(unit['text'])}) is not true")
        yield f"            then {_found('', 'unit_as_sourced', unit['text'])}"
        yield "    end as unit_issue,"
    else:
        yield "    null::text as unit_issue,"
    yield from _member_issue(one)
    yield from ("    dropped_because", "from judged")


def _area_issue(one: Contract) -> Iterator[str]:
    if not _ends(one):
        yield "    null::text as area_issue,"
        return
    yield from ("    case", "        when dropped_because is not null then null")
    for relation, column, end in _ends(one):
        codes = end.get("codes", "code")
        also = _either([*(end.get("also") or {})])
        expected = SYSTEMS.get(codes, f"a name of scheme {codes} in seed area_alias") + (f", {also}" if also else "")
        what, code = ("", "area_code") if relation == "areas" else ("counterpart ", "counterpart_area_code")
        yield from (f"        when {code} is null", "            then")
        yield from (
            f"                {_quoted(f'found {what}')} || quote_nullable({column})",
            f"                || {_quoted(f', expected {expected}')}",
        )
    yield "    end as area_issue,"


def _member_issue(one: Contract) -> Iterator[str]:
    said = one.staging
    if not (said.get("indicator") or said.get("sex")):
        yield "    null::text as member_issue,"
        return
    yield from ("    case", "        when dropped_because is not null then null")
    if said.get("indicator"):
        known = _either([each.get("text") or name for name, each in said["indicators"].items()])
        yield from ("        when indicator_code is null", f"            then {_found('indicator ', 'indicator_as_sourced', known)}")
    if sex := said.get("sex"):
        yield from (
            "        when sex_code is null",
            f"            then {_found('sex ', 'sex_as_sourced', _either([*sex['codes']]))}",
        )
    yield "    end as member_issue,"
