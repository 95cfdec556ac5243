"""Held at what was observed, the model is the river as it was: it misses nothing and stores what was stored."""

import csv
from datetime import date, timedelta

import numpy as np
import pytest

import wateropt
from wateropt.basin import find_basin
from wateropt.hold import held

BASIN = find_basin("naryn-syrdarya")
SMALL = 0.1
YEARS = ["dry", "normal"]


@pytest.fixture(scope="module")
def history(dry, normal):
    cases = {"dry": dry, "normal": normal}
    return {name: wateropt.solve(case, hold=held(case, "observed")) for name, case in cases.items()}


def rows(name):
    with (BASIN / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def last_day(row):
    return date.fromisoformat(row["start"]) + timedelta(days=int(row["days"]) - 1)


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("missed", ["claim_unmet", "sea_shortfall", "instream_shortfall", "unserved", "steep_change",
                                    "season_missed", "storage_missed"])
def test_history_misses_nothing(history, year, missed):
    """Claims, the sea, practised minimum flows and loads were met, and no release changed steeply."""
    values = history[year].values
    for key in values.keys(missed):
        assert values.get(missed, key).max() <= SMALL, key


@pytest.mark.parametrize("year", YEARS)
def test_storages_are_the_observed_ones(history, year):
    """Releases, withdrawals and gains of the year lead every lake along its observed storages."""
    result = history[year]
    observed = {(row["reservoir"], last_day(row)): float(row["storage_hm3"]) for row in rows("reservoir_observed")}
    calendar = result.case.calendar
    ends = [start + timedelta(days=int(n) - 1) for start, n in zip(calendar.starts, calendar.days, strict=True)]
    for lake in result.case.book.tables["reservoir"]:
        expected = [observed[lake, day] for day in ends]
        np.testing.assert_allclose(result.values.get("storage", lake), expected, atol=SMALL)


@pytest.mark.parametrize("year", YEARS)
def test_releases_are_the_observed_ones(history, year):
    """What is held stays where it is."""
    result = history[year]
    observed = {(row["reservoir"], row["start"]): float(row["release_m3s"]) for row in rows("reservoir_observed")}
    for lake in result.case.book.tables["reservoir"]:
        expected = [observed[lake, day.isoformat()] for day in result.case.calendar.starts]
        np.testing.assert_allclose(result.values.get("release", lake), expected, atol=1e-6)


@pytest.mark.parametrize("year", YEARS)
def test_the_optimum_costs_no_more_than_history(history, year, request):
    """History is one of the schedules that the optimum is chosen from."""
    best = request.getfixturevalue(f"{year}_result").objective
    assert best <= history[year].objective + 1e-3 * abs(best)


def test_corrections_are_the_sums_of_the_gains():
    """The season sums that the basin states are those of its gains."""
    gains = rows("gain_flow")
    for row in rows("corrections"):
        first, days = date.fromisoformat(row["start"]), int(row["days"])
        inside = [g for g in gains if g["gain"] == row["gain"]
                  and first <= date.fromisoformat(g["start"]) < first + timedelta(days=days)]
        assert sum(int(g["days"]) for g in inside) == days
        volume = sum(0.0864 * int(g["days"]) * float(g["flow_m3s"]) for g in inside)
        assert volume == pytest.approx(float(row["volume_hm3"]), abs=1e-3)
