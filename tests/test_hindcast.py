"""Hindcast: the model comes near what happened, and knowing more never costs more."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import wateropt
from wateropt.cli import commands
from wateropt.errors import DataError
from wateropt.studies import validation
from wateropt.studies.hindcast import (
    free_run,
    generation,
    hindcast,
    mean_of_years,
    median_year,
    observed_storages,
    other_years,
    single_years,
    unknown_months,
    whole_years,
)
from wateropt.units import HM3_PER_M3S_DAY

SEASON_1992 = Path(__file__).parent / "published" / "toktogul-1992.yaml"


@pytest.fixture(scope="module")
def by_months(monthly):
    return hindcast([monthly])[0]


@pytest.fixture(scope="module")
def by_dekads(dry, normal):
    return hindcast([dry, normal])


def without_correction(case):
    gains = mean_of_years(case, other_years(case))
    return free_run(case, {**gains, "toktogul_closure": np.zeros(len(case.calendar)),
                           "andijan_closure": np.zeros(len(case.calendar))})


# ---- free runs --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("year", "toktogul", "andijan"), [("dry", 75, 65), ("normal", 100, 80)])
def test_lakes_with_a_measured_inflow_stay_near_the_bulletins_all_year(request, year, toktogul, andijan):
    """From one opening, with observed releases and no correction [hm3]. The bulletins of 2024 close less well."""
    run = without_correction(request.getfixturevalue(year))
    assert run.farthest("toktogul") <= toktogul
    assert run.farthest("andijan") <= andijan


def test_a_free_run_is_the_balance_of_the_lake(dry):
    """Opening plus inflow less release, dekad by dekad; evaporation is in the inflow already."""
    run = without_correction(dry)
    flows = dry.book.series["inflow"]["flow"]["naryn"]
    released = wateropt.hold.held(dry, "observed")["release", "toktogul"]
    change = HM3_PER_M3S_DAY * dry.calendar.days * (flows - released)
    by_hand = dry.book.opening["storage"]["toktogul"] + np.cumsum(change)
    np.testing.assert_allclose(run.storage["toktogul"], by_hand, atol=0.5)


def test_only_measured_storages_judge(dry):
    """Koksaray's path is assumed: it is no judge."""
    assert set(observed_storages(dry)) == {"toktogul", "andijan", "charvak", "kairakkum", "shardara"}


def test_the_gains_of_a_free_run_come_from_other_years(dry, normal):
    """Of the two whole years each is judged with the other's gains."""
    assert other_years(dry) == (2024,)
    assert other_years(normal) == (2023,)
    borrowed = mean_of_years(dry, (2024,))
    np.testing.assert_allclose(borrowed["fergana_kal"], normal.book.series["gain"]["flow"]["fergana_kal"], atol=20)


def test_planned_volumes_of_1992_follow_from_the_balance():
    """Published forecast inflows and planned releases of Toktogul give the planned volumes within 7 hm3 a dekad."""
    judged, = hindcast([wateropt.load(str(SEASON_1992))])
    assert judged.free.farthest_in_a_period("toktogul") <= 7
    assert judged.plan is None
    assert unknown_months(judged.case.calendar) == []  # from April everything is known: there is nothing to plan


# ---- history, plan, optimum ---------------------------------------------------------------------------


@pytest.mark.slow
def test_hydropower_of_2023_is_what_was_reported(by_dekads):
    """Within 10 % of the country's generation less heat and power and small plants."""
    year = next(g for g in generation(by_dekads) if (g.first.isoformat(), g.last.isoformat())
                == ("2023-01-01", "2023-12-31"))
    assert abs(year.miss) <= 0.10


def test_a_reported_time_that_no_run_covers_is_left_out(by_months):
    """The calendar year 2023 needs the hydrological year 2024 as well."""
    assert {(g.first.isoformat(), g.last.isoformat()) for g in generation([by_months])} == {
        ("2023-01-01", "2023-03-31"), ("2023-04-01", "2023-05-31")}


def test_knowing_more_never_costs_more(by_months):
    """Optimum with foresight <= plan without; the plan ends with the same storages and beats what was done."""
    assert by_months.optimum.objective <= by_months.plan.objective + 1e-6
    assert by_months.plan.objective < by_months.history.objective
    for lake in by_months.free.observed:
        closing = by_months.case.book.closing["storage"][lake]
        assert by_months.plan.values.get("storage", lake)[-1] >= closing - 1e-3


def test_a_plan_expects_the_median_year(monthly):
    """Of three years the middle one by volume; of none, none."""
    known = {2023: monthly, 2024: monthly}
    assert median_year(known).year == 2023  # the drier of two
    assert median_year({}) is None
    assert whole_years(monthly.basin.series["inflow"]["flow"]) == [2023, 2024]


def test_a_plan_knows_the_inflow_from_april(dry):
    """Six months are decided one after the other."""
    months = unknown_months(dry.calendar)
    assert [dry.calendar.starts[a].month for a, _ in months] == [10, 11, 12, 1, 2, 3]
    assert months[-1][1] == 18


def test_a_longer_run_is_judged_year_by_year(dry):
    """Each hydrological year begins at its observed storages."""
    scenario = dry.scenario.model_copy(update={"end": wateropt.load("normal-2024").scenario.end})
    first, second = single_years(wateropt.scenario.build_case("both", scenario, dry.unchanged))
    assert (len(first.calendar), len(second.calendar)) == (36, 36)
    assert second.book.opening["storage"]["toktogul"] == observed_storages(first)["toktogul"][-1]


# ---- page and errors ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_page_is_the_same_bytes_again_and_keeps_what_stands_around(by_months, tmp_path):
    """Tables and charts between the markers; words outside them stay."""
    page = tmp_path / "judged.md"
    validation.write_page([by_months], page)
    page.write_text(page.read_text(encoding="utf-8").replace("## Generation", "## Generation\n\nMy own words."))
    first = page.read_bytes(), (tmp_path / "judged" / "2023.svg").read_bytes()
    validation.write_page([by_months], page)
    assert (page.read_bytes(), (tmp_path / "judged" / "2023.svg").read_bytes()) == first
    text = page.read_text(encoding="utf-8")
    assert "My own words." in text
    assert f"{by_months.history.objective:,.1f}" in text


def test_a_year_that_nobody_measured_cannot_judge():
    """One clear error."""
    with pytest.raises(DataError, match="no lake has a measured storage"):
        hindcast([wateropt.load("dry-2023-chu-talas")])


def test_the_command_prints_its_tables_and_writes_its_files(tmp_path):
    """stdout is data; the file has a row for each lake and dekad."""
    table = tmp_path / "storages.csv"
    done = CliRunner().invoke(commands, ["hindcast", str(SEASON_1992), "--csv", str(table)])
    assert done.exit_code == 0
    assert "| 1992 | none | 54 (6) |" in done.output
    assert len(table.read_text(encoding="utf-8").splitlines()) == 1 + 17
