"""What the files of the site for readers declare: texts in three languages, charts that are Vega-Lite, datasets that are there."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import altair
import pytest
import yaml
from pydantic import ValidationError

from extractors.source import load_source
from reporting.gallery import declared, drawing
from reporting.gallery.declared import LANGUAGES, Chart, Said, charts, sentences, texts, told
from reporting.gallery.figures import Figures, shown
from reporting.pages import TEMPLATES
from warehouse.profile import ROOT

IDS = [chart.id for chart in charts()]
# letters that Kazakh has and Russian has not, and the other way round
KAZAKH, RUSSIAN_ONLY = set("әғқңөұүһіӘҒҚҢӨҰҮҺІ"), set("ёЁ")
# as dbt/macros/column_comments.sql writes what a model promises
PROMISED = {"default_partition": "What adds up: {}.", "promises": "Rows that are there: {}.", "coverage": "A date is complete if {}."}


def _said() -> list[tuple[str, Said]]:
    """Every text of the site with its place."""
    found = [(f"words.{name}", said) for name, said in texts().words.items()]
    for name, section in texts().sections.items():
        found += [(f"sections.{name}", section.title), (f"sections.{name}", section.lead)]
    found += [(f"marts.{name}", said) for name, said in texts().marts.items()]
    for chart in charts():
        found += [(chart.id, said) for said in (chart.title, chart.note, chart.missing, chart.unit, *chart.terms.values())]
        found += [(chart.id, column.label) for column in chart.columns.values()]
    return found


def test_a_text_that_a_language_lacks_is_an_error() -> None:
    with pytest.raises(ValidationError, match="'ru' is empty"):
        Said(kk="бар", ru=" ", en="there")
    with pytest.raises(ValidationError, match="kk"):
        Said.model_validate({"ru": "есть", "en": "there"})


def test_every_text_is_in_its_language() -> None:
    for place, said in _said():
        assert not re.search("[а-яёәғқңөұүһі]", said.en, re.IGNORECASE), place
        assert not KAZAKH & {*said.ru.replace("Жетісу", "")}, f"{place}: Kazakh letters in {said.ru!r}"
        for language in ("kk", "ru"):
            latin = re.sub(r"SQL|CSV|PNG|SVG|Natural Earth|Koshi", "", said[language])
            assert not re.search("[a-z]{3}", latin), f"{place}: {said[language]!r}"


def test_sentences_of_models_are_in_their_languages() -> None:
    for english, said in sentences().items():
        assert not KAZAKH & {*said.ru}, f"Kazakh letters in {said.ru!r}"
        assert not RUSSIAN_ONLY & {*said.kk}, said.kk
        for text in (said.kk, said.ru):  # names of columns, values and licences are the same in every language
            strange = {*re.findall("[A-Za-z]{3,}", text)} - {*re.findall("[A-Za-z]{3,}", english), "leaf", "subtotal"}
            assert not strange, f"{english!r}: {text!r}"
            assert text.count("{}") == english.count("{}"), english


def _of_models() -> Iterator[tuple[str, str]]:
    """All that models say of marts and their columns, each with its place: descriptions, promises, units, dimensions of sums, concepts."""
    folder = ROOT / "dbt" / "models"
    blocks = {
        name: text
        for file in sorted((folder / "docs").glob("*.md"))
        for name, text in re.findall(r"{% docs (\w+) %}(.*?){% enddocs %}", file.read_text(encoding="utf-8"), re.DOTALL)
    }

    def plain(text: str) -> str:
        return re.sub(r"{{ *doc\('(\w+)'\) *}}", lambda found: blocks[found[1]].strip(), text)

    for file in sorted((folder / "marts").glob("_*.yml")):
        for model in yaml.safe_load(file.read_text(encoding="utf-8")).get("models", []):
            yield model["name"], plain(model["description"])
            more = (model.get("config") or {}).get("meta") or {}
            for key, said in PROMISED.items():
                if more.get(key):
                    yield model["name"], said.format(more[key])
            for column in model.get("columns", []):
                meta, place = (column.get("config") or {}).get("meta") or {}, f"{model['name']}.{column['name']}"
                yield from ((place, text) for text in (plain(column["description"]), meta.get("unit") or "", *(meta.get("over") or ())))
                if "concept" in meta:
                    yield place, blocks[meta["concept"]]


def test_what_models_say_of_marts_and_their_columns_is_said_in_three_languages() -> None:
    said = list(_of_models())
    assert len({place for place, _ in said}) > 100
    lacking = {(place, text) for place, text in said for language in ("kk", "ru") if told(text, language) is None}
    assert not lacking, "write them into reporting/gallery/meanings.yml"
    marts = {file.stem for file in (ROOT / "dbt" / "models" / "marts").glob("*.sql")}
    assert {*texts().marts} == marts, "each mart has its name in reporting/gallery/texts.yml, and no other"


def test_a_text_is_told_part_by_part_or_not_at_all() -> None:
    licence = "Use permitted with reference to the source (https://stat.gov.kz/ru/description)"
    assert told(licence, "ru") == "Использование разрешено со ссылкой на источник (https://stat.gov.kz/ru/description)"
    assert told("CC BY-SA 4.0 (https://uis.unesco.org); Not known; quoted with reference to the source", "ru") == (
        "CC BY-SA 4.0 (https://uis.unesco.org); Не известна; приводится со ссылкой на источник"
    )
    assert told("Of these, men. Of these, women.", "kk") == "Олардың ішінде ерлер. Олардың ішінде әйелдер."
    assert told("Of these, men. Nobody wrote this.", "kk") is None
    assert told("Nobody wrote this.", "en") == "Nobody wrote this."


def test_every_word_of_a_template_is_said_and_no_word_is_left_over() -> None:
    markup = "".join(file.read_text(encoding="utf-8") for file in (TEMPLATES / "gallery").glob("*.j2"))
    code = "".join(file.read_text(encoding="utf-8") for file in declared.HERE.glob("*.py"))
    used = {*re.findall(r"\bt\.(\w+)", markup), *re.findall(r'words\["(\w+)"\]', code)}
    families = ("capture_", "redistribution_")
    assert used <= {*texts().words}, used - {*texts().words}
    left = {word for word in texts().words if word not in used and not word.startswith(families)}
    assert not left, left
    for capture in ("live", "recorded", "reconstructed", "transcribed"):
        assert {f"capture_{capture}", f"capture_{capture}_means"} <= {*texts().words}
    for how in ("open", "share-alike", "quote-only", "unknown"):
        assert f"redistribution_{how}" in texts().words


def test_born_in_a_country_is_called_so() -> None:
    """A stock by country of birth is no diaspora; the one place that names a diaspora says what it is not."""
    for place, said in _said():
        if place != "sections.stock":
            assert not re.search("diaspora|диаспор", f"{said.kk} {said.ru} {said.en}", re.IGNORECASE), place


@pytest.mark.parametrize("chart", charts(), ids=IDS)
def test_a_chart_is_vega_lite_and_names_what_is_there(chart: Chart, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "world", lambda: {"type": "Topology"})  # data: the schema would be held to each of its points
    for name in chart.datasets:
        source, _, dataset = name.partition(".")
        assert dataset in load_source(source).datasets, name
    asked = {*re.findall(r"\bbi\.(\w+)", chart.query)}
    for mart in chart.marts:
        assert any(relation == mart or relation.removeprefix(mart) in ("_all", "_latest") for relation in asked), mart
    for language in LANGUAGES:
        for width in drawing.WIDTHS:
            made = drawing.spec(chart, Figures((), ()), language, width)
            assert "$" not in str({key: value for key, value in made.items() if key not in ("$schema", "config")}), (
                "a text is not in its place"
            )
            altair.Chart.from_dict(made, validate=True)


def test_the_map_of_tiles_has_each_region_of_today_once() -> None:
    chart = next(chart for chart in charts() if chart.id == "regions-map")
    tiles = re.findall(r"\('(\d+)', (\d), (\d), ", chart.query)
    with (ROOT / "dbt" / "seeds" / "region.csv").open(encoding="utf-8", newline="") as file:
        open_regions = sorted(row["code"] for row in csv.DictReader(file) if not row["legal_to"])
    assert sorted(code for code, _, _ in tiles) == open_regions
    assert len({(column, row) for _, column, row in tiles}) == len(tiles) == 20


def test_figures_stand_as_each_language_writes_them() -> None:
    column = declared.Column.model_validate({"label": {"kk": "а", "ru": "а", "en": "a"}, "decimals": 1})
    assert [shown(-6722.25, column, language) for language in LANGUAGES] == ["−6\u00a0722,2", "−6\u00a0722,2", "−6,722.2"]
    assert shown(None, column, "en") == ""


def test_a_file_that_is_not_as_declared_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "charts").mkdir()
    first = yaml.safe_load(next(iter(sorted((declared.HERE / "charts").glob("*.yml")))).read_text(encoding="utf-8"))
    first["spec"]["layer"][0]["encoding"]["y"]["title"] = "$label.nothing"
    (tmp_path / "charts" / "01.yml").write_text(yaml.safe_dump(first), encoding="utf-8")
    monkeypatch.setattr(declared, "HERE", tmp_path)
    with pytest.raises(declared.GalleryError, match=r"charts/01\.yml[\s\S]*label\.nothing is not declared"):
        charts.__wrapped__()
