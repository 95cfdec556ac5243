"""Basins that include basins: joined they are what they are apart, and what a folder says itself comes last."""

import hashlib
import json
from datetime import date
from itertools import pairwise

import pytest

import small
import wateropt
from small import SmallBasin
from wateropt.basin import load_basin
from wateropt.errors import DataError
from wateropt.scenario import load_cases

START = {"north": (300.0, 40.0), "south": (150.0, 20.0)}


def river(name, field, fuel=60, **settings):
    """A lake above a field, with a grid of its own."""
    return (SmallBasin(name=name, title=name, **settings).inflow(f"{name}_river", f"{name}_lake", 30)
            .lake(f"{name}_lake", f"{name}_below").sink(f"{name}_end", f"{name}_below")
            .plant(f"{name}_dam", f"{name}_lake", f"{name}_below", reservoir=f"{name}_lake", tailwater_m=50,
                   grid=f"{name}_grid")
            .grid(f"{name}_grid", load=80).exchange(f"{name}_fuel", "supply", fuel, grid=f"{name}_grid")
            .demand(f"{name}_field", f"{name}_below", field, 0.05))


def overlay(folder, tables=None, **settings):
    """Write a folder that has a few tables of its own."""
    made = SmallBasin()
    made.settings = {"name": folder.name, "title": "Both rivers", "includes": ["north", "south"], **settings}
    folder.mkdir(exist_ok=True)
    (folder / "basin.yaml").write_text(json.dumps(made.settings), encoding="utf-8")
    for name, rows in (tables or {}).items():
        small._write(folder / f"{name}.csv", [{**row, "source": "made", "confidence": "assumed"} for row in rows])
    small._write(folder / "references.csv", [{"key": "made", "citation": "made up"}])


@pytest.fixture
def root(tmp_path):
    """Two rivers, and an empty folder that includes both."""
    river("north", 60, fuel=40).write(tmp_path / "north")
    river("south", 90).write(tmp_path / "south")
    overlay(tmp_path / "both")
    return tmp_path


def write(root, basin, *rivers):
    """Write a scenario of a basin, or of several laid over each other; return its file."""
    opening = {"storage": {f"{r}_lake": START[r][0] for r in rivers},
               "release": {f"{r}_lake": START[r][1] for r in rivers}}
    file = root / f"{basin if isinstance(basin, str) else '-'.join(basin)}.yaml"
    file.write_text(json.dumps({**small.SCENARIO, "basin": basin, "opening": opening}))
    return file


def load(root, basin, *rivers):
    return wateropt.load(str(write(root, basin, *rivers)))


def problem_of(folder):
    with pytest.raises(DataError) as error:
        load_basin(folder)
    (problem,) = error.value.problems
    return str(problem)


def test_rivers_that_nothing_links_cost_what_they_cost_apart(root):
    """The joint optimum is the sum of the two, with each river's own schedule."""
    apart = [wateropt.solve(load(root, name, name)) for name in ("north", "south")]
    joined = wateropt.solve(load(root, "both", "north", "south"))
    assert joined.objective == pytest.approx(sum(result.objective for result in apart), rel=1e-6)
    assert all(result.objective > 1 for result in apart)
    assert joined.case.basin.title == "Both rivers"


def test_a_link_between_the_rivers_saves(root):
    """What the third folder adds joins the two: the same link as a table of its own."""
    line = {"link": "line", "origin": "north_grid", "destination": "south_grid", "capacity_mw": 50,
            "reverse_capacity_mw": 50, "loss": 0.01, "price_usd_per_mwh": 0}
    unlinked = wateropt.solve(load(root, "both", "north", "south")).objective
    overlay(root / "both", {"link": [line]})
    assert wateropt.solve(load(root, "both", "north", "south")).objective < unlinked - 1e-3


def test_a_row_of_the_folder_itself_replaces_the_included_one(root):
    """The field of the south is worth twice as much; the north's is as it was."""
    row = {"demand": "south_field", "name": "field", "node": "south_below", "country": "B", "use": "field",
           "value_usd_per_m3": 0.1}
    overlay(root / "both", {"demand": [row]})
    fields = load_basin(root / "both").tables["demand"]
    assert fields.ids == ("north_field", "south_field")
    assert fields.value == {"north_field": 0.05, "south_field": 0.1}


def test_a_series_of_the_folder_itself_replaces_that_of_its_id_only(root):
    """South's river is another, and dated; north's keeps its calendar profile."""
    rows = [{"inflow": "south_river", "start": f"2023-{month:02d}-01", "days": days, "flow_m3s": flow}
            for month, days, flow in ((1, 31, 11), (2, 28, 12))]
    overlay(root / "both", {"inflow_flow": rows})
    flow = load(root, "both", "north", "south").book.series["inflow"]["flow"]
    assert flow["south_river"] == pytest.approx([11, 12])
    assert flow["north_river"] == pytest.approx([30, 30])


def test_a_level_curve_of_the_folder_itself_replaces_that_of_its_lake_only(root):
    """All points of the lake come from one folder."""
    points = [{"reservoir": "south_lake", "storage_hm3": s, "elevation_m": z} for s, z in ((0, 10), (5, 20), (9, 25))]
    overlay(root / "both", {"reservoir_level": points})
    curves = load_basin(root / "both").curves
    assert curves["south_lake"].level.tolist() == [10, 20, 25]
    assert curves["north_lake"].level.tolist() == [100, 150, 200]


def test_includes_of_includes_are_read_once(root):
    """A folder that includes `both` and `north` has each river once."""
    overlay(root / "whole", includes=["both", "north"])
    assert load_basin(root / "whole").tables["reservoir"].ids == ("north_lake", "south_lake")


def test_countries_of_all_folders_are_known(root):
    """A third country may stand in the third folder."""
    overlay(root / "both", countries={"C": "Third"})
    assert sorted(load_basin(root / "both").countries) == ["A", "B", "C"]


@pytest.mark.parametrize(("key", "value"), [
    ("price_year", 2020), ("blocks", {"peak": 8, "rest": 16}),
    ("shortage_steps", [{"up_to": 0.5, "factor": 1.0}, {"up_to": 1.0, "factor": 2.0}]),
])
def test_basins_that_disagree_are_not_joined(root, key, value):
    """Hours, money and shortage mean the same in all of them."""
    river("south", 90, **{key: value}).write(root / "south")
    problem = problem_of(root / "both")
    assert problem.startswith(f"basin.yaml, {key}: ")
    assert "in south" in problem
    assert "make them agree" in problem


def test_a_missing_include_is_one_clear_error(root):
    """The nearest folder beside it is named."""
    overlay(root / "both", includes=["north", "sout"])
    assert "`sout` is not beside this basin; did you mean `south`?" in problem_of(root / "both")


@pytest.mark.parametrize("others", [["south", "both"], ["both"]])
def test_a_circle_of_includes_is_one_clear_error(root, others):
    """A folder that includes itself, at once or through another."""
    content = json.loads((root / "north" / "basin.yaml").read_text())
    (root / "north" / "basin.yaml").write_text(json.dumps({**content, "includes": others}))
    assert "`both` includes this basin in turn" in problem_of(root / "both")


@pytest.mark.parametrize(("includes", "countries"), [(3, {"C": "Third"}), (["north", "south"], ["C"])])
def test_settings_of_the_wrong_form_are_explained(root, includes, countries):
    """A number for a list, a list for a mapping."""
    overlay(root / "both", includes=includes, countries=countries)
    with pytest.raises(DataError) as error:
        load_basin(root / "both")
    assert any(str(problem).startswith("basin.yaml") for problem in error.value.problems)


def test_an_error_says_in_which_folder_it_is(root):
    """Two folders may have a table of the same name."""
    path = root / "south" / "reservoir.csv"
    text = path.read_text()
    path.write_text(text.replace(",0,1000,", ",0,lots,"))
    assert problem_of(root / "both").startswith("south/reservoir.csv, line 2, south_lake: ")
    path.write_text(text.replace(",0,1000,", ",2000,1000,"))
    assert problem_of(root / "both").startswith("reservoir.csv, line 2, south_lake in south: ")


def test_hashes_cover_every_folder(root):
    """Each file of each folder; those of included folders carry its name."""
    hashes = load_basin(root / "both").hashes
    expected = {f"{folder}/{path.name}" for folder in ("north", "south") for path in (root / folder).iterdir()}
    assert set(hashes) == expected | {"basin.yaml", "references.csv"}
    before = hashes["south/reservoir.csv"]
    path = root / "south" / "reservoir.csv"
    path.write_text(path.read_text().replace("1000", "1001"))
    after = load_basin(root / "both").hashes
    assert {name for name in hashes if hashes[name] != after[name]} == {"south/reservoir.csv"}
    assert before != after["south/reservoir.csv"] != hashlib.sha256(b"").hexdigest()


def test_a_change_of_a_scenario_reaches_included_tables(root):
    """`changes` know no folders."""
    load(root, "both", "north", "south")
    content = json.loads((root / "both.yaml").read_text())
    change = {"table": "demand", "column": "value_usd_per_m3", "where": {"demand": "north_field"}, "multiply": 3}
    (root / "both.yaml").write_text(json.dumps({**content, "changes": [change]}))
    table = wateropt.load(str(root / "both.yaml")).book.tables["demand"]
    assert table.value == {"north_field": pytest.approx(0.15), "south_field": 0.05}


# ---- several basins named by a scenario ---------------------------------------------------------------

OTHER_YEAR = [{"inflow": "south_river", "start": f"2023-{month:02d}-01", "days": days, "flow_m3s": flow}
              for month, days, flow in ((1, 31, 11), (2, 28, 12))]


@pytest.fixture
def year(root):
    """A folder that has nothing but the dated inflow of the south, over the south."""
    overlay(root / "year", {"inflow_flow": OTHER_YEAR}, title="Another year", includes=["south"])
    return root


def test_a_list_of_basins_is_what_a_folder_that_includes_them_is(year):
    """`both` with the year over it: as if a folder included first the one and then the other."""
    listed = load(year, ["both", "year"], "north", "south")
    overlay(year / "whole", includes=["both", "year"])
    whole = load(year, "whole", "north", "south")
    flow = listed.book.series["inflow"]["flow"]
    assert flow["south_river"].tolist() == pytest.approx([11, 12])
    assert {key: values.tolist() for key, values in flow.items()} == {
        key: values.tolist() for key, values in whole.book.series["inflow"]["flow"].items()}
    assert listed.basin.tables == whole.basin.tables
    assert wateropt.solve(listed).objective == wateropt.solve(whole).objective


def test_the_last_of_a_list_holds(year):
    """With the year below, the calendar profile of `late` comes back."""
    rows = [{"inflow": "south_river", "month": month, "flow_m3s": 77} for month in range(1, 13)]
    overlay(year / "late", {"inflow_flow": rows}, includes=["south"])
    orders = (["both", "year", "late"], [77, 77]), (["both", "late", "year"], [11, 12])
    for names, expected in orders:
        flow = load(year, names, "north", "south").book.series["inflow"]["flow"]
        assert flow["south_river"] == pytest.approx(expected)


def test_a_list_has_the_title_of_its_first_and_the_names_of_all(year):
    """And every file's hash carries its folder."""
    basin = load_basin([year / "both", year / "year"])
    assert (basin.name, basin.title) == ("both + year", "Both rivers")
    folders = ("north", "south", "both", "year")
    assert set(basin.hashes) == {f"{name}/{path.name}" for name in folders for path in (year / name).iterdir()}


def test_a_list_of_one_is_that_basin(year):
    """Also in what it calls its files."""
    one, listed = load(year, "both", "north", "south"), load(year, ["both"], "north", "south")
    assert (one.basin.name, one.basin.hashes) == (listed.basin.name, listed.basin.hashes)


def test_a_list_replaces_what_an_extended_scenario_names(year):
    """Lists are added to elsewhere; a basin is one thing."""
    base = write(year, ["both", "year"], "north", "south")
    for over in ("both", ["both"]):
        (year / "over.yaml").write_text(json.dumps({"extends": base.stem, "basin": over}))
        assert wateropt.load(str(year / "over.yaml")).basin.name == "both"


@pytest.mark.parametrize(("basin", "told"), [
    (["both", "yaer"], "both-yaer.yaml, basin.1: no basin `yaer`; "), ([], "basin: names none; name one or more"),
    (["both", "south"], "basin, south: is there already, by itself or included by a folder before it; name it once"),
    (["both", "both"], "basin, both: is there already"), (["both", 3], "basin: must be the name of a basin, or a list"),
])
def test_a_wrong_list_is_one_clear_error(year, basin, told):
    """Unknown, empty, twice the same, no name."""
    (year / "both-yaer.yaml").write_text(json.dumps({**small.SCENARIO, "basin": basin}))
    with pytest.raises(DataError) as error:
        wateropt.load(str(year / "both-yaer.yaml"))
    (problem,) = error.value.problems
    assert told in str(problem)


def test_folders_of_one_name_in_two_places_are_refused(year):
    """Their files could not be told apart."""
    river("south", 60).write(year / "elsewhere" / "south")
    with pytest.raises(DataError, match="two folders have this name"):
        load_basin([year / "both", year / "elsewhere" / "south"])


def test_a_problem_in_one_of_a_list_says_in_which(year):
    """Every folder is named, the last one too."""
    (year / "year" / "inflow_flow.csv").write_text((year / "year" / "inflow_flow.csv").read_text().replace("12", "x"))
    with pytest.raises(DataError, match=r"basin both \+ year\n.*year/inflow_flow.csv, line 3"):
        load_basin([year / "both", year / "year"])


def test_several_scenarios_read_a_basin_once(year, monkeypatch):
    """Also if it is wrong, and its problems are told once."""
    names = []
    for number in range(3):
        file = write(year, ["both", "year"], "north", "south")
        names.append(str(file.rename(year / f"number-{number}.yaml")))
    seen = []
    monkeypatch.setattr("wateropt.scenario.load_basin", lambda folders: seen.append(folders) or load_basin(folders))
    assert len({id(case.basin.curves) for case in load_cases(names)}) == 1
    assert len(seen) == 1
    (year / "year" / "references.csv").write_text("key,citation\nother,one\n")
    with pytest.raises(DataError) as error:
        load_cases(names)
    assert len(seen) == 2
    assert {problem.file for problem in error.value.problems} == {"year/inflow_flow.csv"}


def years_of(root, name, *years):
    """Write a folder over a river that has its inflow in some calendar years."""
    edges = [[date(year + month // 12, month % 12 + 1, 1) for month in range(13)] for year in years]
    rows = [{"inflow": f"{name}_river", "start": begin.isoformat(), "days": (end - begin).days, "flow_m3s": 30}
            for months in edges for begin, end in pairwise(months)]
    overlay(root / f"{name}-years", {"inflow_flow": rows}, includes=[name])


@pytest.mark.parametrize(("others", "told"), [
    ((2003, 2004, 2022, 2023), "all series have the hydrological years 2023: choose dates there, or add rows"),
    ((2003, 2004), "these series have the hydrological years 2023, the others 2004: lay a basin that has the missing "
                   "ones over this one, or add rows"),
])
def test_a_year_that_only_one_of_joined_basins_has_says_what_each_has(root, others, told):
    """And in which folder the years are missing."""
    years_of(root, "north", *others)
    years_of(root, "south", 2022, 2023)
    file = write(root, ["both", "north-years", "south-years"], "north", "south")
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "start": "2004-01-01", "end": "2004-02-29"}))
    with pytest.raises(DataError) as error:
        wateropt.load(str(file))
    (problem,) = error.value.problems
    assert str(problem) == ("south-years/inflow_flow.csv, south_river: no value for 2004-01-01 to 2004-02-29; every "
                            f"month of the horizon needs one; {told}")
