"""Shipped data: every number has a source and a confidence, what is assumed has a range, what is made is made again."""

import csv
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

import wateropt
from wateropt.basin import NODE_COLUMNS, find_basin, load_basin
from wateropt.components import COMPONENTS
from wateropt.scenario import shipped_scenarios
from wateropt.shipped import shipped
from wateropt.tables import CONFIDENCES

ROOT = Path(__file__).parents[1]
BASINS = sorted(path.name for path in shipped("basins").iterdir() if path.is_dir())
LICENCES = r"CC BY(?:-SA|-NC|-ND)* \d\.\d|Apache-2\.0|MIT|(?:L|A)?GPL-\d|ODbL"
FREE = ("figures", "facts", "statistics", "tariffs", "treat", "document")  # what carries no licence is one of these
WITHOUT_SOURCE = {"references", "corrections", "inflow_range"}  # the last two are sums of other tables
INPUTS = {"naryn-syrdarya": "", "chu-talas": "chu_talas_"}  # how the inputs of a basin's reconstruction begin
AXIS = {("reservoir_level", "storage_hm3")}  # where a curve is drawn is a choice, not a fact
CHOSEN = AXIS | {("project", "maximum")}  # and so is how much is offered to be built


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def numbers(folder):
    """Every number of a basin's tables: (table, id, column), its cell and its row."""
    columns = {"node": ("node", NODE_COLUMNS)}
    for part in COMPONENTS:
        columns[part.NAME] = (part.NAME, part.COLUMNS)
        columns |= {f"{part.NAME}_{series.name}": (part.NAME, series.columns) for series in part.SERIES}
    headers = {name: (key, [c.header for c in own if c.is_number]) for name, (key, own) in columns.items()}
    headers["reservoir_level"] = ("reservoir", ["storage_hm3", "elevation_m"])
    for name, (key, own) in headers.items():
        for row in rows(folder / f"{name}.csv") if (folder / f"{name}.csv").exists() else ():
            yield from (((name, row[key], header), row[header], row) for header in own if row.get(header))


def inputs(folder):
    """Tables that a basin's series are made from, by their place in the repository."""
    every = {f"data/sources/{path.name}": path for path in (ROOT / "data" / "sources").glob("*.csv")}
    own = {name for name, path in every.items() if path.name.startswith(INPUTS.get(folder.name, "none"))}
    others = {name for name, path in every.items() for basin, prefix in INPUTS.items()
              if basin != folder.name and prefix and path.name.startswith(prefix)}
    return {name: every[name] for name in sorted(own - others)}


def number_cells(folder):
    """Cells of a basin's tables and of the inputs of its reconstruction: place -> numbers."""
    cells = {}
    for place, cell, _ in numbers(folder):
        cells.setdefault(place, []).append(float(cell))
    for name, path in inputs(folder).items():
        for row in rows(path):
            key = next(iter(row.values()))
            for column, cell in row.items():
                if re.fullmatch(r"-?\d+(\.\d+)?", cell):
                    cells.setdefault((name, key, column), []).append(float(cell))
    return cells


def included(folder):
    """Folders of the basins that a basin includes, and of those that they include."""
    names = yaml.safe_load((folder / "basin.yaml").read_text(encoding="utf-8")).get("includes", ())
    return [place for name in names for place in (*included(folder.parent / name), folder.parent / name)]


def optional_rows(path):
    """Rows of a table that a basin need not have."""
    return rows(path) if path.exists() else []


def provenance(folder):
    return {(row["table"], row["id"], row["column"]): row for row in rows(folder / "provenance.csv")}


@pytest.fixture(params=BASINS)
def folder(request):
    return find_basin(request.param)


# ---- loading ----------------------------------------------------------------------------------------


def test_there_is_something_to_load():
    """At least the first basin, and a dry and a normal year of it."""
    assert "naryn-syrdarya" in BASINS
    assert {"dry-2023", "dry-2023-monthly", "normal-2024"} <= set(shipped_scenarios())


def test_every_shipped_basin_loads(folder):
    """No problem in any of its files, and it is called like its folder."""
    assert load_basin(folder).name == folder.name


@pytest.mark.parametrize("name", shipped_scenarios())
def test_every_shipped_scenario_loads_and_says_what_it_means(name):
    """A case of whole periods, with a title and a meaning for the list."""
    case = wateropt.load(name)
    assert len(case.calendar) > 0
    assert case.scenario.title
    assert case.scenario.meaning


def test_the_nodes_are_in_the_picture(folder):
    """Each node has a place of its own between 0 and 100."""
    nodes = load_basin(folder).tables["node"]
    places = [(nodes.x[n], nodes.y[n]) for n in nodes]
    assert len(set(places)) == len(places)
    assert all(0 <= value <= 100 for place in places for value in place)


# ---- sources ----------------------------------------------------------------------------------------


def test_every_row_has_a_source_and_a_confidence(folder):
    """Sources are keys of references.csv; this holds for the inputs of the reconstruction as well."""
    known = {row["key"] for row in rows(folder / "references.csv")}
    made_from = list(inputs(folder).values())
    for path in [*folder.glob("*.csv"), *made_from]:
        if path.stem in WITHOUT_SOURCE:
            continue
        for line, row in enumerate(rows(path), 2):
            assert row["source"] in known, f"{path.name}, line {line}"
            if path not in made_from or "confidence" in row:
                assert row["confidence"] in CONFIDENCES, f"{path.name}, line {line}"


def test_every_input_of_a_reconstruction_belongs_to_a_basin():
    """No table of sources is left out of the rule above."""
    there = {path for basin in BASINS for path in inputs(find_basin(basin)).values()}
    assert there == set((ROOT / "data" / "sources").glob("*.csv"))


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


def test_every_assumed_number_has_a_range_and_a_reason(folder):
    """A row in provenance.csv with a range, and why: there or beside the number."""
    ranges = provenance(folder)
    lacking = set()
    for place, _, row in numbers(folder):
        off_stream = place[0] == "powerhouse" and place[2] == "pondage_hm3" and row["reservoir"]  # the lake stores
        if row["confidence"] == "assumed" and (place[0], place[2]) not in AXIS and not off_stream:
            given = ranges.get(place)
            if given is None or not (given["note"] or row["note"]):
                lacking.add(place)
    assert not lacking


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
UNGAUGED = {"chu-talas": 0.2}  # part of the water that rivers without a gauge may bring


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
    for row in optional_rows(folder / "inflow_flow.csv"):
        water[row["confidence"]] += float(row["flow_m3s"]) * int(row["days"])
    tables = [place / "inflow_flow.csv" for place in (*included(folder), folder)]
    flowing = {row["inflow"] for table in tables for row in optional_rows(table)}
    assert set(water) <= {"measured", "reconstructed", "assumed"}
    assert water["assumed"] <= UNGAUGED.get(folder.name, 0.0) * water.total()
    assert {row["inflow"] if row["inflow"] in flowing else row.get("share_of")
            for row in optional_rows(folder / "inflow.csv")} <= flowing


# ---- what is made -----------------------------------------------------------------------------------

MADE = {  # script -> basin and its tables
    "check_balances.py": ("naryn-syrdarya", ()),
    "chu_talas.py": ("chu-talas", ("inflow_flow", "gain_flow", "demand_requirement", "reservoir_evaporation",
                                   "reservoir_level", "reservoir_observed", "inflow_range")),
    "kyrgyz_load.py": ("naryn-syrdarya", ("grid_load",)),
    "neighbour_load.py": ("naryn-syrdarya", ()),
    "naryn_syrdarya.py": ("naryn-syrdarya", ("inflow_flow", "gain_flow", "reservoir_observed", "reach_observed",
                                             "canal_observed", "demand_requirement", "sea_target", "corrections")),
}


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(path.name for path in (ROOT / "tools" / "reconstruct").glob("*.py")))
def test_a_script_makes_the_same_tables_again(script, tmp_path):
    """In a copy of the data without them, a script writes its tables byte for byte, and touches no other file."""
    for part in ("data", "tools"):
        shutil.copytree(ROOT / part, tmp_path / part)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.csv")}
    basin, tables = MADE[script]
    for name in tables:
        (tmp_path / "data" / "basins" / basin / f"{name}.csv").unlink()
    subprocess.run([sys.executable, f"tools/reconstruct/{script}"], cwd=tmp_path, check=True, capture_output=True)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.csv")} == before


def test_every_reconstructed_series_is_made_by_a_script_that_is_there(folder):
    """A row that names a script names one that writes its table."""
    for path in folder.glob("*.csv"):
        for row in rows(path):
            if row.get("confidence") == "reconstructed" and row.get("note", "").startswith("tools/"):
                basin, tables = MADE[Path(row["note"]).name]
                assert (basin, path.stem in tables) == (folder.name, True)
