"""The Chu and Talas in other years: nothing is missing between them, 2023 is unchanged, measured volumes are kept."""

import csv
from datetime import date, timedelta

import pytest
import yaml

import wateropt
from wateropt.basin import find_basin
from wateropt.scenario import load_cases
from wateropt.shipped import shipped

RUNS = ((date(2001, 1, 1), date(2016, 9, 30)), (date(2020, 10, 1), date(2026, 9, 30)))


def rows(basin, table):
    with (find_basin(basin) / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(("table", "key"), [("inflow_flow", "inflow"), ("gain_flow", "gain")])
def test_flows_are_without_gap(table, key):
    """Every river has a flow on each day of 2001 to 2016 and of 2021 to 2026, so that years can be joined."""
    there = {}
    for row in rows("chu-talas-years", table):
        first = date.fromisoformat(row["start"])
        there.setdefault(row[key], set()).update(first + timedelta(d) for d in range(int(row["days"])))
    wanted = {first + timedelta(d) for first, last in RUNS for d in range((last - first).days + 1)}
    assert all(days == wanted for days in there.values())


def test_the_year_2023_is_that_of_the_basin_below():
    """Flows and states of 2023 are copied, number by number."""
    for table, columns in (("inflow_flow", 4), ("gain_flow", 4), ("reservoir_observed", 5)):
        years = {tuple(row.values())[:columns] for row in rows("chu-talas-years", table)}
        assert {tuple(row.values())[:columns] for row in rows("chu-talas", table)} <= years


def test_a_dry_year_of_the_gauges_has_its_measured_volume():
    """Ur-Maral April-September 2008: 94 % and 71 % of the mean of the two quarters."""
    mean = {4: 2.83, 5: 10.81, 6: 27.65, 7: 28.97, 8: 19.63, 9: 11.25}
    flow = {int(row["start"][5:7]): float(row["flow_m3s"]) * int(row["days"]) for row in
            rows("chu-talas-years", "inflow_flow") if row["inflow"] == "ur_maral" and row["start"][:4] == "2008"}
    days = {4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30}
    for months, share in (((4, 5, 6), 0.94), ((7, 8, 9), 0.71)):
        measured = share * sum(mean[m] * days[m] for m in months)
        assert sum(flow[m] for m in months) == pytest.approx(measured, rel=1e-4)


def scenario(tmp_path, year):
    """The file of the shipped scenario of 2023 in another year of the overlay."""
    content = yaml.safe_load((shipped("scenarios") / "dry-2023-chu-talas.yaml").read_text(encoding="utf-8"))
    content |= {"basin": "chu-talas-years", "start": date(year - 1, 10, 1), "end": date(year, 9, 30)}
    path = tmp_path / f"year-{year}.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return str(path)


@pytest.mark.slow
def test_a_drier_year_costs_more(tmp_path):
    """2008 costs more than 2023, which costs what the basin below says, and 2003 less."""
    names = [*(scenario(tmp_path, year) for year in (2003, 2023, 2008)), "dry-2023-chu-talas"]
    wet, middle, dry, below = (wateropt.solve(case).objective for case in load_cases(names))
    assert wet < middle < dry
    assert middle == pytest.approx(below, abs=1e-6)
