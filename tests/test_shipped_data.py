"""Shipped data: every number has a source and a confidence, what is assumed has a range, what is made is made again."""

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import wateropt
from shipped_rules import (
    ABOUT_SOURCES,
    AXIS,
    assumed_without_range,
    included,
    inputs,
    numbers,
    provenance,
    rows,
    rows_without_source,
    sources,
    unlike_measured,
    unlike_reported,
)
from wateropt.basin import find_basin, load_basin
from wateropt.scenario import load_cases, shipped_scenarios
from wateropt.shipped import shipped
from wateropt.tables import CONFIDENCES

ROOT = Path(__file__).parents[1]
DATA = ROOT / "data"
BASINS = sorted(path.name for path in shipped("basins").iterdir() if path.is_dir())
LICENCES = r"CC BY(?:-SA|-NC|-ND)* \d\.\d|Apache-2\.0|MIT|(?:L|A)?GPL-\d|ODbL"
FREE = ("figures", "facts", "statistics", "tariffs", "treat", "document")  # what carries no licence is one of these
CHOSEN = AXIS | {("project", "maximum")}  # how much is offered to be built is a choice, not a fact
RULES = (rows_without_source, assumed_without_range, unlike_reported, unlike_measured)


def number_cells(folder):
    """Cells of a basin's tables and of the inputs of its reconstruction: place -> numbers."""
    cells = {}
    for place, cell, _ in numbers(folder):
        cells.setdefault(place, []).append(float(cell))
    for name, path in inputs(DATA, folder.name).items():
        for row in rows(path):
            key = next(iter(row.values()))
            for column, cell in row.items():
                if re.fullmatch(r"-?\d+(\.\d+)?", cell):
                    cells.setdefault((name, key, column), []).append(float(cell))
    return cells


@pytest.fixture(params=BASINS)
def folder(request):
    return find_basin(request.param)


# ---- loading ----------------------------------------------------------------------------------------


def test_there_is_something_to_load():
    """At least the first basin, and a dry and a normal year of it."""
    assert "naryn-syrdarya" in BASINS
    assert {"dry-2023", "dry-2023-monthly", "normal-2024"} <= set(shipped_scenarios())


def test_every_shipped_basin_loads(folder):
    """No problem in any of its files, it is called like its folder, and each node has a place of its own between 0
    and 100 in the picture."""
    basin = load_basin(folder)
    assert basin.name == folder.name
    nodes = basin.tables["node"]
    places = [(nodes.x[n], nodes.y[n]) for n in nodes]
    assert len(set(places)) == len(places)
    assert all(0 <= value <= 100 for place in places for value in place)


SCENARIOS = shipped_scenarios()
OF_EACH_KIND = ("dry-2023", "dry-2023-chu-talas-low", "dry-2008-joined-kambarata-1", "dry-2025", "nine-years-monthly")


ALL = pytest.param(SCENARIOS, marks=pytest.mark.slow)


@pytest.mark.parametrize("names", [OF_EACH_KIND, ALL], ids=["some", "all"])
def test_shipped_scenarios_load_and_say_what_they_mean(names):
    """A case of whole periods, with a title and a meaning for the list."""
    for case in load_cases(names):
        assert len(case.calendar) > 0
        assert case.scenario.title, case.name
        assert case.scenario.meaning, case.name


# ---- the rules of every number ----------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_data_keep_every_rule(rule):
    """A source for each row, a range for each assumed number, an excerpt for each measured or reported one."""
    assert list(rule(DATA)) == []


NARYN, CHU, SOURCES = "basins/naryn-syrdarya", "basins/chu-talas", "sources"
YEARS = "basins/naryn-syrdarya-2001-2010"
BROKEN = {  # rule, and the file of a copy in which the first text becomes the second
    "source": (rows_without_source, f"{NARYN}/reach.csv", "ksmake_tables,reported,12-13 h", ",reported,12-13 h"),
    "unknown_source": (rows_without_source, f"{CHU}/canal.csv", "chu_compendium", "chu_compendia"),
    "source_of_an_input": (rows_without_source, f"{SOURCES}/chu_talas_crops.csv", "own_estimate", ""),
    "source_of_a_range": (rows_without_source, f"{NARYN}/provenance.csv", "kazpravda_2017", ""),
    "confidence": (rows_without_source, f"{NARYN}/sea.csv", "assumed", "guessed"),
    "row_of_a_range": (assumed_without_range, f"{NARYN}/provenance.csv", "grid,kg,", "grid,kz,"),
    "low": (assumed_without_range, f"{CHU}/provenance.csv", "assumed,0,300,value", "assumed,,300,value"),
    "new_assumption": (assumed_without_range, f"{NARYN}/reservoir.csv", "bwo,reported,area", "bwo,assumed,area"),
    "static": (unlike_reported, f"{NARYN}/reservoir.csv", ",5500,19500,", ",5500,19501,"),
    "profile": (unlike_reported, f"{NARYN}/instream_target.csv", "kokbulak,7,65", "kokbulak,7,66"),
    "measured_once": (unlike_reported, f"{NARYN}/canal.csv", "KZ,150,", "KZ,151,"),
    "other_source": (unlike_reported, f"{CHU}/canal.csv", "0.4,chu_compendium", "0.4,talas_losses"),
    "excerpt": (unlike_reported, f"{SOURCES}/reported.csv", "Chui oblast, 188.4", "Chui oblast, 188.5"),
    "arithmetic": (unlike_reported, f"{SOURCES}/reported.csv", "1800 - 780", "1800 - 781"),
    "no_excerpt": (unlike_reported, f"{SOURCES}/reported.csv", "reach,chumysh_border,", "reach,chumysh,"),
    "new_report": (unlike_reported, f"{CHU}/provenance.csv", "m3s,own_estimate,assumed", "m3s,own_estimate,reported"),
    "dekad": (unlike_measured, f"{NARYN}/inflow_flow.csv", "2022-04-01,10,265.300", "2022-04-01,10,265.301"),
    "input": (unlike_measured, f"{SOURCES}/syrdarya_dekads_2022_2024.csv", "04-11,10,732.2", "04-11,10,732.3"),
    "other_day": (unlike_measured, f"{NARYN}/canal_observed.csv", "kyzylkum,2022-04-01,10", "kyzylkum,2022-04-02,9"),
    "dekad_laid_over": (unlike_measured, f"{YEARS}/inflow_flow.csv", "01-11,10,169.2", "01-11,10,169.3"),
    "not_mended": (unlike_measured, f"{YEARS}/reservoir_observed.csv", "reconstructed,27.2", "measured,27.2"),
    "repeated": (unlike_reported, f"{YEARS}/reservoir.csv", "KG,5500,19650,", "KG,5501,19650,"),
    "raised": (unlike_reported, f"{YEARS}/provenance.csv", "murphy,reconstructed,195", "murphy,measured,195"),
    "generation": (unlike_reported, f"{NARYN}/generation_reported.csv", "90,4632", "90,4633"),
    "no_origin": (unlike_measured, f"{SOURCES}/measured.csv", "reach_observed,kal_akjar,", "reach_observed,akjar_kal,"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_notices_what_is_broken(name, tmp_path):
    """In a copy of the data with one thing changed, the rule finds it, and nothing else."""
    rule, file, old, new = BROKEN[name]
    shutil.copytree(DATA, tmp_path / "data", ignore=shutil.ignore_patterns("*.md", "*.svg"))
    path = tmp_path / "data" / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    assert 1 <= len(set(rule(tmp_path / "data"))) <= 8


# ---- sources ----------------------------------------------------------------------------------------


def test_every_input_of_a_reconstruction_belongs_to_a_basin_and_a_script():
    """No table of sources is left out of the rules, and index.csv names none that is not there."""
    listed = {row["file"] for row in sources(DATA, "index")}
    assert listed == {path.name for path in (DATA / "sources").glob("*.csv") if path.stem not in ABOUT_SOURCES}
    assert {row["basin"] for row in sources(DATA, "index")} <= set(BASINS)
    assert {row["script"] for row in sources(DATA, "index")} <= set(SCRIPTS)


def test_every_reference_says_what_and_where_and_under_which_licence(folder):
    """Key once, citation, licence; and the place where it was published, but for what is generally known."""
    references = rows(folder / "references.csv")
    assert max(Counter(row["key"] for row in references).values()) == 1
    for row in references:
        assert row["citation"], row["key"]
        assert row["licence"], row["key"]
        assert row["url_or_place"] or "eneral knowledge" in row["citation"] or "without a document" in row["citation"]


def test_every_licence_of_a_reference_is_in_licenses_md(folder):
    """A licence is named there, and what has none is of a kind that is described there."""
    text = (ROOT / "data" / "LICENSES.md").read_text(encoding="utf-8")
    for row in rows(folder / "references.csv"):
        named = re.findall(LICENCES, row["licence"])
        assert all(licence in text for licence in named), row["key"]
        kinds = [kind for kind in FREE if kind in row["licence"]]
        assert named or kinds, row["key"]
        assert all(kind in text for kind in kinds), row["key"]


# ---- what is assumed --------------------------------------------------------------------------------


def test_ranges_point_at_numbers_that_are_there(folder):
    """No range is left behind by a number that was renamed, and each is stated once."""
    stated = rows(folder / "provenance.csv")
    assert len(provenance(folder)) == len(stated)
    there = set(number_cells(folder))
    settings = {place for place in provenance(folder) if place[0] == "basin.yaml"}
    for place in (place for place in provenance(folder) if place[0].startswith("scenario ")):
        assert getattr(wateropt.load(place[0].removeprefix("scenario ")).scenario, place[1]), place
        settings.add(place)
    empty = set(provenance(folder)) - there - settings
    tables = {path.stem: path for path in folder.glob("*.csv")}
    assert all(column in rows(tables[name])[0] and any(name_id in row.values() for row in rows(tables[name]))
               for name, name_id, column in empty)


def test_ranges_hold_their_number(folder):
    """`low` to `high` holds the shipped value; as factors they hold 1."""
    values = number_cells(folder)
    for place, row in provenance(folder).items():
        low, high = float(row["low"]), float(row["high"])
        assert row["range_kind"] in ("value", "factor"), place
        assert low <= high, place
        found = [1.0] if row["range_kind"] == "factor" else values.get(place, [])
        assert all(low <= value <= high for value in found), place


MOSTLY_ASSUMED = {"chu-talas": 0.7}  # basins where more than a third of the rows is assumed, and how much at most
ASSUMED_WATER = {  # part of the inflow that may be assumed, there and in what includes it
    "chu-talas": 0.2,  # rivers without a gauge
    "naryn-syrdarya-reconstructed": 0.1,  # the forecast of March-September 2026, one of nine years
}


def test_no_more_than_a_third_of_the_rows_is_assumed(folder):
    """Most rows are measured, reported or made from such. Not so where the basin is named above, which has a low and
    a high estimate among the scenarios, nor in what is laid over a basin: a plan, each number of which has a range."""
    place = {(name, key, tuple(row.values())): row["confidence"] for (name, key, _), _, row in numbers(folder)}
    count = Counter(place.values())
    assert set(count) <= set(CONFIDENCES)
    if included(folder):
        ranges = provenance(folder)
        wide = {where for where, row in ranges.items() if float(row["low"]) < float(row["high"])}
        assumed = {where for where, _, row in numbers(folder) if row["confidence"] == "assumed"}
        assert {where for where in assumed if (where[0], where[2]) not in CHOSEN} <= wide
    else:
        assert count["assumed"] <= MOSTLY_ASSUMED.get(folder.name, 1 / 3) * sum(count.values())


@pytest.mark.parametrize("basin", MOSTLY_ASSUMED)
def test_a_basin_that_is_mostly_assumed_has_a_low_and_a_high_estimate(basin):
    """Three shipped scenarios of one year, whose inflows lie below, between and above, every river in every period."""
    low, middle, high = (wateropt.load(f"dry-2023-{basin}{end}") for end in ("-low", "", "-high"))
    assert {case.basin.name for case in (low, middle, high)} == {basin}
    for part in ("inflow", "gain"):
        flows = [case.book.series[part]["flow"] for case in (low, middle, high)]
        assert any((flow > 0).any() for flow in flows[1].values())
        for key, between in flows[1].items():
            assert (flows[0][key] <= between).all(), key
            assert (flows[2][key] >= between).all(), key
            assert flows[0][key].sum() < flows[2][key].sum(), key


def test_what_rivers_bring_is_measured(folder):
    """The inflows of a shipped basin are no assumptions, but for a part that is named above; those without rows are
    parts of one that has them, here or in what is included."""
    water = Counter()
    for row in rows(folder / "inflow_flow.csv"):
        water[row["confidence"]] += float(row["flow_m3s"]) * int(row["days"])
    tables = [place / "inflow_flow.csv" for place in (*included(folder), folder)]
    flowing = {row["inflow"] for table in tables for row in rows(table)}
    names = {place.name for place in (*included(folder), folder)}
    assert set(water) <= {"measured", "reconstructed", "assumed"}
    assert water["assumed"] <= max(ASSUMED_WATER.get(name, 0.0) for name in names) * water.total()
    assert {row["inflow"] if row["inflow"] in flowing else row.get("share_of")
            for row in rows(folder / "inflow.csv")} <= flowing


# ---- what is made -----------------------------------------------------------------------------------

MADE = {row["script"]: row["basin"] for row in sources(DATA, "made")}  # the basin of a script
TABLES = {script: [row["table"] for row in sources(DATA, "made") if row["script"] == script and row["table"]]
          for script in MADE}
SCRIPTS = sorted(path.name for path in (ROOT / "tools" / "reconstruct").glob("*.py")
                 if "__main__" in path.read_text(encoding="utf-8"))


def test_every_script_says_what_it_makes():
    """made.csv names each script, and no other, with one basin."""
    assert sorted(MADE) == SCRIPTS
    assert len({(row["script"], row["basin"]) for row in sources(DATA, "made")}) == len(MADE)


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_makes_the_same_tables_again(script, tmp_path):
    """In a copy of the data without them, a script writes its tables byte for byte, and touches no other file."""
    for part in ("data", "tools"):
        shutil.copytree(ROOT / part, tmp_path / part)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    for name in TABLES[script]:
        (tmp_path / "data" / "basins" / MADE[script] / f"{name}.csv").unlink()
    subprocess.run([sys.executable, f"tools/reconstruct/{script}"], cwd=tmp_path, check=True, capture_output=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.csv")} == before


def test_every_reconstructed_series_is_made_by_a_script_that_is_there(folder):
    """A row that names a script names one that writes its table."""
    for path in folder.glob("*.csv"):
        for row in rows(path):
            if row.get("confidence") == "reconstructed" and row.get("note", "").startswith("tools/"):
                script = Path(row["note"]).name
                assert (MADE[script], path.stem in TABLES[script]) == (folder.name, True)
