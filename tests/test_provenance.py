"""`wateropt data`: where numbers come from, which years are dry, and which uncertain number moves a result most."""

import csv
import json

import pytest

import wateropt
from small import SmallBasin, everything
from wateropt.basin import find_basin
from wateropt.cli import commands
from wateropt.errors import DataError, UsageError
from wateropt.report.files import write_result
from wateropt.scenario import shipped_scenarios
from wateropt.studies.dry_years import dry_years
from wateropt.studies.provenance import Solver, case_of, check_basin, effects, ranges, table_sources

HEADER = ("table", "id", "column", "source", "confidence", "low", "high", "range_kind", "note")
PRICE = ("exchange_step", "seller", "price_usd_per_mwh", "assumed", 40, 60, "value")
LOAD = ("grid_load", "grid", "load_mw", "reconstructed", 0.5, 1, "factor")
RECORD = ("hydrological_year", "lake_inflow_hm3", "lake_opening_hm3", "mouth_season_hm3", "mouth_agreed_hm3", "source",
          "confidence", "note")
YEARS = [(2001, 900, 300, 100, 200), (2002, 1100, 400, "", ""), (2003, 1500, 200, 130, 200),
         (2004, 1300, 900, 119, 200), (2005, "", 500, 500, 200), (2006, 2000, 600, "", ""), (2007, 1200, 500, 120, 200)]


def write(path, header, lines):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(lines)


def state(folder, *stated):
    """Write the ranges of a basin: (table, id, column, confidence, low, high, kind)."""
    write(folder / "provenance.csv", HEADER, [(*row[:3], "made", *row[3:], "made up") for row in stated])


def bought(folder, *stated):
    """The case of a grid of 100 MW that buys all it needs at 50 USD/MWh, with stated ranges."""
    basin = SmallBasin().inflow("river", "end_of_river", 1).sink("sea", "end_of_river")
    basin.grid(load=100).exchange("seller", "supply", 50)
    basin.load(folder)
    state(folder / "basin", *stated)
    return wateropt.load(str(folder / "small.yaml"))


def solved(folder, *stated, **options):
    """The folder of a result of that case."""
    case = bought(folder, *stated)
    write_result(wateropt.solve(case, **options), folder / "result")
    return folder / "result"


def record(folder, lines=YEARS, header=RECORD):
    """A basin whose lake has a dead storage of 100 hm³, with a record of years."""
    basin = SmallBasin().inflow("river", "lake", 50).lake("lake", "mouth", minimum_storage_hm3=100)
    basin.lake("mouth", "sea").sink("sea", "sea")
    basin.load(folder, opening={"storage": {"lake": 500, "mouth": 500}, "release": {"lake": 50, "mouth": 50}})
    write(folder / "basin" / "hydrological_year.csv", header, [(*line, "made", "reported", "") for line in lines])
    return folder / "basin"


def by_number(found):
    return {(one.range.table, one.range.id, one.range.column): one for one in found}


@pytest.fixture
def show(capsys):
    """The lines that a command writes to stdout."""
    def command(*arguments):
        commands.main(["data", *map(str, arguments)], standalone_mode=False)
        return capsys.readouterr().out.splitlines()

    return command


# ---- sources -------------------------------------------------------------------------------------------


def test_every_row_of_every_table_is_counted_once(show):
    """The total is the number of rows of all tables but the two about numbers, in this folder and the included ones."""
    folder, below = find_basin("naryn-syrdarya-projects"), find_basin("naryn-syrdarya")
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for place in (folder, below)
                for path in place.glob("*.csv") if path.stem not in ("references", "provenance"))
    assert sum(table.rows for table in table_sources(folder)) == lines
    assert all(sum(table.confidence.values()) == table.rows for table in table_sources(folder))
    total = next(line for line in show("naryn-syrdarya-projects") if line.startswith("total"))
    assert total.split()[1] == str(lines)


def test_every_source_of_a_table_is_cited(show):
    """The key of each source stands in a table's line and again before its citation."""
    shown = show("naryn-syrdarya")
    assert any(line.startswith("naryn-syrdarya  canal ") and "kazpravda_2017" in line for line in shown)
    assert any(line.startswith("kazpravda_2017") and "Shardara and Koksaray" in line for line in shown)


def test_a_basin_that_is_not_there_gets_the_nearest_name():
    with pytest.raises(UsageError, match="did you mean `naryn-syrdarya`"):
        commands.main(["data", "naryn-syrdaria"], standalone_mode=False)


# ---- dry years -----------------------------------------------------------------------------------------


def test_a_year_is_dry_by_the_lowest_third_or_by_the_season(tmp_path):
    """Of six years with both numbers the two with least water; and those below 60 % of what was agreed."""
    found = {one.year: one for one in dry_years(record(tmp_path))}
    assert {year: one.dry for year, one in found.items()} == {
        2001: ("available", "season"), 2002: ("available",), 2003: (), 2004: ("season",), 2005: (), 2006: (), 2007: ()}
    assert (found[2001].available, found[2001].rank, found[2001].of) == (1100, 1, 6)
    assert (found[2005].available, found[2005].rank) == (None, None)
    assert (found[2004].share, found[2007].share) == (0.595, 0.6)


def test_years_near_the_limit_are_called_so():
    """Five years lie as near the limit as a reconstruction errs; the driest and the wettest do not."""
    near = {one.year for one in dry_years(find_basin("naryn-syrdarya")) if one.border}
    assert near == {2014, 2022, 2023, 2024, 2025}


def test_every_dry_year_has_its_scenarios():
    """On the Syr Darya and on all rivers, without and with Kambarata-1; 2024, at the border, is the normal year."""
    dry = {one.year for one in dry_years(find_basin("naryn-syrdarya")) if one.dry or one.border} - {2024}
    kinds = ("", "-kambarata-1", "-joined", "-joined-kambarata-1")
    assert {f"dry-{year}{kind}" for year in dry for kind in kinds} <= set(shipped_scenarios())
    named = {name for name in shipped_scenarios() if name.startswith("dry-") and name.count("-") == 1}
    assert named == {f"dry-{year}" for year in dry}


def test_the_table_of_years_says_by_which_rule(tmp_path, show):
    shown = show(record(tmp_path), "--dry-years")
    assert len(shown) == 1 + len(YEARS)
    assert "dry: lowest third and season below 60%" in shown[1]
    assert "1 of 6" in shown[1]
    assert "not dry" in shown[3]


@pytest.mark.parametrize(("lines", "header", "told"), [
    (YEARS, (RECORD[0], "lakes_inflow_hm3", *RECORD[2:]), "no reservoir `lakes`"),
    (YEARS, (RECORD[0], "lake_flow_hm3", *RECORD[2:]), "needs one column `<reservoir>_inflow_hm3`"),
    ([(2001, "x", 300, 1, 1)], RECORD, "a number is needed"),
    ([("dry", 1, 300, 1, 1)], RECORD, "year is `dry`"),
    ([YEARS[0], YEARS[0]], RECORD, "stands twice"),
])
def test_a_wrong_record_is_one_error(tmp_path, lines, header, told):
    with pytest.raises(DataError, match=told):
        dry_years(record(tmp_path, lines, header))


def test_a_basin_without_a_record_has_no_dry_years(tmp_path):
    bought(tmp_path)
    with pytest.raises(DataError, match="no year can be called dry"):
        dry_years(tmp_path / "basin")


# ---- what moves a result -----------------------------------------------------------------------------------


def test_the_swing_of_a_price_is_the_energy_times_its_range(tmp_path):
    """100 MW over the 59 days of the scenario are 141.6 GWh: at 40 to 60 USD/MWh 2.832 MUSD between the ends."""
    case = bought(tmp_path, PRICE, LOAD)
    base, found = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    assert base == pytest.approx(7.08)
    price, load = found[1], found[0]
    assert (price.range.table, price.value) == ("exchange_step", (50.0, 50.0))
    assert (price.low, price.high, price.swing) == pytest.approx((5.664, 8.496, 2.832))
    assert (load.low, load.high, load.swing) == pytest.approx((3.54, 7.08, 3.54))
    assert load.reason == "high: is the value itself"


def test_a_warm_start_finds_what_a_cold_one_finds(tmp_path):
    """In a basin with every kind of asset and clause, every objective is that of the changed case solved by itself."""
    everything(tmp_path)
    state(tmp_path / "basin", ("demand_requirement", "field", "requirement_m3s", "assumed", 0.5, 2, "factor"),
          ("powerhouse", "high", "tailwater_m", "assumed", 30, 70, "value"),
          ("powerhouse", "high", "efficiency", "assumed", 0.8, 0.95, "value"),
          ("inflow_flow", "river", "flow_m3s", "assumed", 0.7, 1.3, "factor"),
          ("reach", "reach", "travel_days", "assumed", 1, 40, "value"),
          ("canal", "canal", "capacity_m3s", "assumed", 0, 80, "value"))
    case = wateropt.load(str(tmp_path / "small.yaml"))
    _, found = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    assert len(found) == 6
    for one in found:
        for which, objective in enumerate((one.low, one.high)):
            cold = wateropt.solve(case.with_change(one.range.change(which)), choose=False).objective
            assert objective == pytest.approx(cold, rel=1e-5), one


def test_what_cannot_be_varied_says_why(tmp_path):
    """Observations, curves, settings, single values and empty cells are rows with a reason and no swing."""
    everything(tmp_path)
    state(tmp_path / "basin", ("reach_observed", "reach", "entered_m3s", "assumed", 0.5, 2, "factor"),
          ("reservoir_level", "lake", "elevation_m", "assumed", 0.9, 1.1, "factor"),
          ("basin.yaml", "blocks", "hours", "assumed", 4, 8, "value"),
          ("data/sources/x.csv", "a", "b", "assumed", 4, 8, "value"),
          ("canal", "canal", "loss", "assumed", 0.1, 0.1, "value"),
          ("reach", "nowhere", "loss", "assumed", 0, 0.1, "value"))
    case = wateropt.load(str(tmp_path / "small.yaml"))
    _, found = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    told = {one.range.table if one.range.id != "nowhere" else "nowhere": one.reason for one in found}
    assert {one.swing for one in found} == {None}
    assert "observed" in told["reach_observed"]
    assert "curve" in told["reservoir_level"]
    assert "setting" in told["basin.yaml"]
    assert "reconstruction" in told["data/sources/x.csv"]
    assert "single value" in told["canal"]
    assert "no row" in told["nowhere"]


def test_an_end_without_a_schedule_is_a_row(tmp_path):
    """What must run above what is available leaves no schedule; a price above its match is refused: both are told."""
    everything(tmp_path)
    state(tmp_path / "basin", ("unit_output", "thermal", "must_run_mw", "assumed", 5, 150, "value"),
          ("reservoir", "lake", "minimum_storage_hm3", "assumed", 0, 600, "value"),
          ("reservoir", "lake", "full_storage_hm3", "assumed", 100, 400, "value"))
    case = wateropt.load(str(tmp_path / "small.yaml"))
    _, found = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    found = by_number(found)
    run = found["unit_output", "thermal", "must_run_mw"]
    assert run.high is None
    assert "no schedule" in run.reason
    least = found["reservoir", "lake", "minimum_storage_hm3"]
    assert least.high is None
    assert "outside 600 to 1000" in least.reason
    full = found["reservoir", "lake", "full_storage_hm3"]
    assert (full.low, full.high, full.swing) == (None, None, None)


def test_an_end_without_a_schedule_is_a_row_where_no_plant_has_a_lake(tmp_path):
    """The same without a head path."""
    basin = SmallBasin().inflow("river", "end_of_river", 1).sink("sea", "end_of_river").grid(load=100)
    basin.exchange("seller", "supply", 50).unit("thermal", 40, 50, must_run=10)
    case = basin.load(tmp_path)
    state(tmp_path / "basin", ("unit_output", "thermal", "must_run_mw", "assumed", 0, 80, "value"))
    _, (effect,) = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    assert effect.high is None
    assert effect.reason.startswith("high: no schedule")


def test_a_path_too_narrow_for_an_end_is_left(tmp_path):
    """The most the lake may hold, far below what it holds in the base case, has a schedule: the path gives way."""
    everything(tmp_path, policies=[])
    state(tmp_path / "basin", ("inflow_flow", "river", "flow_m3s", "assumed", 0.2, 3, "factor"),
          ("reservoir", "lake", "full_storage_hm3", "assumed", 501, 1000, "value"),
          ("reservoir", "lake", "minimum_storage_hm3", "assumed", 0, 499, "value"))
    case = wateropt.load(str(tmp_path / "small.yaml"))
    _, found = effects(case, "", ranges(tmp_path / "basin"), workers=1)
    for one in found:
        cold = [wateropt.solve(case.with_change(one.range.change(n)), choose=False).objective for n in (0, 1)]
        assert (one.low, one.high) == pytest.approx(tuple(cold), rel=1e-5)


def test_a_number_that_changes_nothing_is_not_solved(tmp_path):
    """Where the LP holds the same numbers after a change, the objective is the case's own, and it is said."""
    everything(tmp_path)
    state(tmp_path / "basin", ("project", "more_unit", "annual_cost", "assumed", 1, 2, "factor"))
    solver = Solver(wateropt.load(str(tmp_path / "small.yaml")), fixed_head=False)
    change = ranges(tmp_path / "basin")[0].change(0)
    assert solver.objective_with(change) == (solver.objective, "not in the LP of this horizon")


@pytest.mark.slow
def test_two_workers_find_what_one_finds(tmp_path):
    """The same rows in the same order: no end depends on what was solved before it."""
    case = bought(tmp_path, PRICE, LOAD)
    one, two = (effects(case, str(tmp_path / "small.yaml"), ranges(tmp_path / "basin"), workers=n) for n in (1, 2))
    assert one == two


def test_the_command_ranks_by_swing(tmp_path, show):
    """The largest swing first, what could not be varied counted with its reason, the objective of the case told."""
    result = solved(tmp_path, PRICE, LOAD, ("basin.yaml", "blocks", "hours", "assumed", 4, 8, "value"))
    shown = show(tmp_path / "basin", "--result", result, "--scenario", tmp_path / "small.yaml", "--workers", 1)
    assert shown[1].startswith("grid_load ")
    assert shown[2].startswith("exchange_step ")
    assert shown[3] == "objective 7.080 MUSD; 3 ranges: 2 move it, 0 do not, 1 could not be varied"
    assert shown[4] == "not varied, 1: a setting of the basin, no table"
    assert len(show(tmp_path / "basin", "--result", result, "--scenario", tmp_path / "small.yaml", "--workers", 1,
                    "--most", 1)) == 4


def test_a_result_with_a_fixed_head_is_varied_with_a_fixed_head(tmp_path):
    """The objective is that of the result, at the head that the result had."""
    case = everything(tmp_path)
    result = wateropt.solve(case, fixed_head=True, choose=False)
    state(tmp_path / "basin", ("grid_load", "grid", "load_mw", "assumed", 0.9, 1.1, "factor"))
    base, (effect,) = effects(case, "", ranges(tmp_path / "basin"), fixed_head=True, workers=1)
    assert base == pytest.approx(result.objective)
    changed = case.with_change(effect.range.change(1))
    assert effect.high == pytest.approx(wateropt.solve(changed, fixed_head=True, choose=False).objective)


# ---- wrong input -------------------------------------------------------------------------------------------


def test_a_folder_without_a_result_is_refused(tmp_path):
    for content in (None, "{}", "no json"):
        if content is not None:
            (tmp_path / "summary.json").write_text(content, encoding="utf-8")
        with pytest.raises(DataError, match="give a folder that `solve` wrote"):
            case_of(tmp_path)


def test_a_scenario_that_is_no_shipped_one_must_be_given(tmp_path):
    with pytest.raises(UsageError, match="give its file with --scenario"):
        case_of(solved(tmp_path, PRICE))


def test_a_result_of_other_data_is_refused(tmp_path):
    """A changed table is named; so is a changed scenario."""
    result = solved(tmp_path, PRICE)
    state(tmp_path / "basin", LOAD)
    with pytest.raises(DataError, match=r"provenance\.csv: has changed since"):
        case_of(result, str(tmp_path / "small.yaml"))
    content = json.loads((tmp_path / "small.yaml").read_text(encoding="utf-8"))
    (tmp_path / "small.yaml").write_text(json.dumps({**content, "title": "other"}), encoding="utf-8")
    with pytest.raises(DataError, match="says something else"):
        case_of(result, str(tmp_path / "small.yaml"))


def test_a_result_with_held_releases_is_refused(tmp_path):
    result = solved(tmp_path, PRICE)
    facts = json.loads((result / "summary.json").read_text(encoding="utf-8"))
    (result / "summary.json").write_text(json.dumps({**facts, "held": ["release:lake"]}), encoding="utf-8")
    with pytest.raises(UsageError, match="releases fixed"):
        case_of(result, str(tmp_path / "small.yaml"))


def test_a_basin_that_is_no_part_of_the_result_is_refused():
    """An included basin is a part."""
    case = wateropt.load("dry-2023-projects")
    check_basin(find_basin("naryn-syrdarya"), case)
    check_basin(find_basin("naryn-syrdarya-projects"), case)
    with pytest.raises(UsageError, match="`chu-talas` is no part"):
        check_basin(find_basin("chu-talas"), case)


def test_two_questions_at_once_are_refused(tmp_path):
    with pytest.raises(UsageError, match="one at a time"):
        commands.main(["data", "chu-talas", "--dry-years", "--result", str(tmp_path)], standalone_mode=False)
