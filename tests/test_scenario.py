"""Scenarios: what a file may change of its basin, and what the case then holds."""

from datetime import date

import numpy as np
import pytest
import yaml

import wateropt
from wateropt.basin import find_basin, load_basin
from wateropt.errors import DataError
from wateropt.scenario import Scenario, build_case, find_scenario, read_scenario
from wateropt.tables import along_calendar

YEAR = {"title": "a year", "basin": "naryn-syrdarya", "start": "2022-10-01", "end": "2023-09-30", "step": "month"}
CLAUSE = {"kind": "season_volume", "clause": "pledge", "reservoir": "toktogul", "sense": ">=", "first_month": 4,
          "last_month": 9, "quantity_hm3": 6500, "penalty_usd_per_m3": 0.2}


@pytest.fixture(scope="module")
def basin():
    return load_basin(find_basin("naryn-syrdarya"))


@pytest.fixture(scope="module")
def plain(basin):
    return case_of(basin)


def case_of(basin, **changes):
    """The case of a year by months that differs by some keys."""
    return build_case("year", Scenario.model_validate({**YEAR, **changes}), basin)


def change(table, column, where=None, **how):
    return {"changes": [{"table": table, "column": column, "where": where or {}, **how}]}


# ---- files ------------------------------------------------------------------------------------------


def write(folder, name, **content):
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return folder / f"{name}.yaml"


def test_extends_overwrites_keys_adds_to_lists_and_merges_mappings(tmp_path):
    """A grandchild has what its parents have, less what it says otherwise."""
    write(tmp_path, "first", **YEAR, opening={"storage": {"toktogul": 9000, "shardara": 3000}},
          **change("demand", "value_usd_per_m3", multiply=2))
    write(tmp_path, "second", extends="first", title="second", opening={"storage": {"shardara": 2000}})
    path = write(tmp_path, "third", extends="second.yaml", step="dekad", policies=[CLAUSE],
                 **change("demand", "value_usd_per_m3", multiply=3))
    scenario = read_scenario(path)
    assert (scenario.title, scenario.step, scenario.start) == ("second", "dekad", date(2022, 10, 1))
    assert scenario.opening == {"storage": {"toktogul": 9000, "shardara": 2000}}
    assert [change.multiply for change in scenario.changes] == [2, 3]


def test_a_basin_is_found_beside_the_scenario(tmp_path, monkeypatch):
    """A path in `basin` counts from the scenario's folder, not from where the command runs."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "basin").symlink_to(find_basin("naryn-syrdarya"))
    path = write(tmp_path / "study", "year", **{**YEAR, "basin": "basin"})
    monkeypatch.chdir(tmp_path)
    assert wateropt.load("study/year.yaml").name == "year"
    assert wateropt.load(str(path)).basin.name == "naryn-syrdarya"


def test_a_file_wins_over_a_shipped_name(tmp_path, monkeypatch):
    """`NAME` is a file if there is one of that name."""
    monkeypatch.chdir(tmp_path)
    assert find_scenario("dry-2023").is_absolute()
    (tmp_path / "dry-2023").write_text("title: mine")
    assert str(find_scenario("dry-2023")) == "dry-2023"


# ---- changes ----------------------------------------------------------------------------------------


def requirement(case, site):
    return case.book.series["demand"]["requirement"][site]


def test_a_scenario_that_changes_nothing_changes_nothing(basin, plain):
    """Times one and plus nothing give the same case."""
    same = case_of(basin, **change("demand_requirement", "requirement_m3s", multiply=1, add=0))
    for site in plain.book.tables["demand"]:
        assert requirement(same, site).tolist() == requirement(plain, site).tolist()


def test_a_change_sets_then_multiplies_then_adds(basin):
    """10 x 2 + 3."""
    case = case_of(basin, **change("demand_requirement", "requirement", set=10, multiply=2, add=3))
    assert requirement(case, "dostyk_cotton").tolist() == [23.0] * 12


@pytest.mark.parametrize(("where", "changed"), [
    ({}, {"dostyk_cotton", "dostyk_other", "kyzylkum_cotton", "kyzylkum_rice", "kyzylorda_other", "kyzylorda_rice",
          "kyzylorda_lakes", "kyzylorda_towns"}),
    ({"demand": "dostyk_cotton"}, {"dostyk_cotton"}),
    ({"demand": ["dostyk_cotton", "kyzylkum_cotton"]}, {"dostyk_cotton", "kyzylkum_cotton"}),
    ({"use": "field", "node": "kyzylorda"}, {"kyzylorda_other", "kyzylorda_rice"}),
], ids=["everywhere", "by id", "by ids", "by columns"])
def test_a_change_is_made_where_all_conditions_hold(basin, plain, where, changed):
    """Rows are chosen by id and by the words of their table."""
    case = case_of(basin, **change("demand_requirement", "requirement", where, multiply=2))
    for site in plain.book.tables["demand"]:
        factor = 2.0 if site in changed else 1.0
        assert requirement(case, site) == pytest.approx(factor * requirement(plain, site))


def test_a_change_in_some_months_leaves_the_others(basin, plain):
    """July and August are halved."""
    case = case_of(basin, **change("demand_requirement", "requirement", {"month": [7, 8]}, multiply=0.5))
    summer = np.isin(case.calendar.months, [7, 8])
    before, after = requirement(plain, "dostyk_cotton"), requirement(case, "dostyk_cotton")
    assert after[summer] == pytest.approx(0.5 * before[summer])
    assert after[~summer].tolist() == before[~summer].tolist()


def test_a_change_by_load_block_leaves_the_other_block(basin, plain):
    """Series with a further key are chosen by it."""
    case = case_of(basin, **change("grid_load", "load_mw", {"block": "peak"}, add=100))
    load, before = case.book.series["grid"]["load"], plain.book.series["grid"]["load"]
    assert load["kg", "peak"] == pytest.approx(before["kg", "peak"] + 100)
    assert load["kg", "rest"].tolist() == before["kg", "rest"].tolist()


def test_a_column_of_a_table_is_changed_with_or_without_its_unit(basin):
    """`capacity` and `capacity_mw` are the same column; the basin itself stays as it is."""
    for column in ("capacity", "capacity_mw"):
        case = case_of(basin, **change("powerhouse", column, {"powerhouse": "toktogul"}, set=1440))
        assert case.book.tables["powerhouse"].capacity["toktogul"] == 1440
    assert basin.tables["powerhouse"].capacity["toktogul"] == 1200


def test_no_limit_stays_no_limit(basin):
    """Twice an empty capacity is an empty capacity, and a capacity can be set where there was none."""
    with_limit = basin.tables["reservoir"].columns["free_change"]
    table = "reservoir", "free_change"
    doubled = case_of(basin, **change(*table, multiply=2)).book.tables["reservoir"].free_change
    assert doubled == {r: value if value is None else 2 * value for r, value in with_limit.items()}
    assert set(case_of(basin, **change(*table, set=5)).book.tables["reservoir"].free_change.values()) == {5}


def test_a_change_keeps_the_rules_between_columns(basin):
    """Minimum storage may not be lifted above full storage by a scenario either."""
    with pytest.raises(DataError, match="minimum storage 9000 hm3 is above full storage 5400 hm3"):
        case_of(basin, **change("reservoir", "minimum_storage_hm3", {"reservoir": "shardara"}, set=9000))


def test_what_was_observed_cannot_be_changed(basin):
    """It is no input of the optimization: openings and closings are given by their own keys."""
    with pytest.raises(DataError, match="no table `reservoir_observed` that can be changed"):
        case_of(basin, **change("reservoir_observed", "storage_hm3", multiply=2))


# ---- water years ------------------------------------------------------------------------------------


def test_hydrology_lays_another_years_series_on_the_calendar(basin):
    """The dates are those of 2023, the inflows those of 2024."""
    case = case_of(basin, hydrology=2024)
    there = case_of(basin, start="2023-10-01", end="2024-09-30")
    inflow, source = (c.book.series["inflow"]["flow"]["naryn"] for c in (case, there))
    assert case.calendar.starts[0] == date(2022, 10, 1)
    others = case.calendar.months != 2  # 29 February 2024 has no place in February 2023
    assert inflow[others].tolist() == source[others].tolist()
    assert inflow == pytest.approx(source, rel=0.01)
    assert case.book.opening["storage"] == there.book.opening["storage"]
    assert case.book.closing["storage"] == there.book.closing["storage"]


@pytest.mark.parametrize(("year", "hydrology"), [(2023, 2024), (2024, 2023)])
def test_dekads_of_another_year_keep_their_values_over_a_leap_day(basin, year, hydrology):
    """A day of the horizon has the value of the same day of the other year, 29 February that of the 28th."""
    start, end = f"{year - 1}-10-01", f"{year}-09-30"
    case = case_of(basin, step="dekad", start=start, end=end, hydrology=hydrology)
    there = case_of(basin, step="dekad", start=f"{hydrology - 1}-10-01", end=f"{hydrology}-09-30")
    for part, column in (("inflow", "flow"), ("gain", "flow"), ("grid", "load")):
        for key, values in there.book.series[part][column].items():
            assert case.book.series[part][column][key] == pytest.approx(values, rel=1e-12)
    assert case.book.opening == there.book.opening
    assert case.book.closing["storage"] == there.book.closing["storage"]


def test_the_own_year_as_hydrology_changes_nothing(basin, plain):
    """A shift of no days."""
    same = case_of(basin, hydrology=2023)
    for key, values in plain.book.series["inflow"]["flow"].items():
        assert same.book.series["inflow"]["flow"][key].tolist() == values.tolist()


def test_months_are_day_weighted_means_of_the_dekads(basin, plain):
    """Both steps bring the same water in a year."""
    dekads = case_of(basin, step="dekad")
    assert len(dekads.calendar) == 36
    for key, monthly in plain.book.series["inflow"]["flow"].items():
        flow = dekads.book.series["inflow"]["flow"][key]
        assert flow @ dekads.calendar.days == pytest.approx(monthly @ plain.calendar.days)


# ---- both ends --------------------------------------------------------------------------------------


def observed(basin, reservoir, day):
    """Storage as read at the end of a day."""
    first = date.fromordinal(day.toordinal())
    raw = basin.series["reservoir"]["observed"]
    row = next(row for row in raw.rows[reservoir] if row[0] <= first.toordinal() < row[0] + row[1])
    return row[2][1]


def test_storage_opens_and_closes_as_it_was_observed(basin, plain):
    """The reading of the day before the first period, and of the last day."""
    for r in plain.book.tables["reservoir"]:
        assert plain.book.opening["storage"][r] == observed(basin, r, date(2022, 9, 30))
        assert plain.book.closing["storage"][r] == observed(basin, r, date(2023, 9, 30))


def test_an_opening_of_the_scenario_comes_before_the_observed_one(basin, plain):
    """Only the reservoir that is named is changed."""
    opening = case_of(basin, opening={"storage": {"toktogul": 9000}}).book.opening["storage"]
    assert opening == {**plain.book.opening["storage"], "toktogul": 9000}


@pytest.mark.parametrize("rule", ["opening", "free"])
def test_storage_may_close_where_it_opened_or_anywhere(basin, rule):
    """`opening` holds each lake at its first storage, `free` at none."""
    book = case_of(basin, closing={"storage": rule}).book
    wanted = book.opening["storage"] if rule == "opening" else dict.fromkeys(book.opening["storage"])
    assert book.closing["storage"] == wanted


def test_a_closing_storage_can_be_a_number(basin):
    """A reservoir that is not named closes at least as observed."""
    book = case_of(basin, closing={"storage": {"toktogul": 10000}}).book
    assert book.closing["storage"]["toktogul"] == 10000
    assert book.closing["storage"]["shardara"] == case_of(basin).book.closing["storage"]["shardara"] != 0


def test_water_under_way_closes_as_observed_as_opened_or_free(basin):
    """Free leaves no bound; the other rules leave one of the right size."""
    reach = "kyzylorda_aral"
    kept = case_of(basin, step="dekad").book.closing["transit_total"][reach]
    opened = case_of(basin, step="dekad", closing={"transit": "opening"}).book
    assert kept > 0
    assert opened.closing["transit_total"][reach] == pytest.approx(
        sum(v for (r, _), v in opened.opening["in_transit"].items() if r == reach))
    assert case_of(basin, closing={"transit": "free"}).book.closing["transit_total"][reach] is None


def test_without_an_observation_an_opening_must_be_given(basin):
    """The bulletins begin in March 2022: a horizon that begins earlier has no observed storage."""
    with pytest.raises(DataError, match="no value for 2022-03-01 to 2022-03-31"):
        case_of(basin, start="2022-03-01", end="2022-09-30")


# ---- clauses ----------------------------------------------------------------------------------------


def test_clauses_become_tables_like_any_other(basin):
    """A policy of a scenario has an id, columns and units, and a change can reach it."""
    case = case_of(basin, policies=[CLAUSE], **change("season_volume", "quantity_hm3", multiply=0.5))
    table = case.book.tables["season_volume"]
    assert table.ids == ("pledge",)
    assert table.quantity["pledge"] == 3250
    assert table.penalty["pledge"] == 0.2


def test_a_clause_without_a_penalty_is_hard(basin):
    """An empty penalty is no price, not a price of zero."""
    hard = {key: value for key, value in CLAUSE.items() if key != "penalty_usd_per_m3"}
    assert case_of(basin, policies=[hard]).book.tables["season_volume"].penalty == {"pledge": None}


def test_every_number_of_a_case_has_a_unit(plain):
    """Components and policies alike."""
    units = plain.column_units
    assert units["reservoir", "full_storage"] == "hm^3"
    assert units["season_volume", "penalty"] == "MUSD/hm^3"


def test_inputs_are_known_by_their_content_not_by_the_order_of_rows(basin, tmp_path):
    """The hash of a table stays when its rows are turned round, and moves with a number."""
    for path in find_basin("naryn-syrdarya").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    header, *lines = (tmp_path / "canal.csv").read_text().splitlines(keepends=True)
    (tmp_path / "canal.csv").write_text("".join([header, *reversed(lines)]))
    turned = load_basin(tmp_path)
    assert turned.hashes == basin.hashes
    assert turned.tables["canal"].ids == basin.tables["canal"].ids
    (tmp_path / "canal.csv").write_text("".join([header, *lines]).replace(",110,", ",111,"))
    assert load_basin(tmp_path).hashes["canal.csv"] != basin.hashes["canal.csv"]


def test_series_of_a_case_are_those_of_the_basin(basin, plain):
    """Nothing is filled, clipped or smoothed on the way."""
    raw = basin.series["sea"]["target"]
    laid = plain.book.series["sea"]["target"]["aral"]
    assert laid.tolist() == along_calendar(raw, "aral", 0, plain.calendar).tolist()
