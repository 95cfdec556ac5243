"""Published reservoir and hydro-thermal problems, written as basins of ours, have the published optima."""

from pathlib import Path

import numpy as np
import pytest

import published_problems as published
import wateropt
from wateropt.units import HM3_PER_M3S_DAY

OTHERS = {"toktogul-1992"}  # a published plan, looked at in test_hindcast.py
by_name = {problem.name: problem for problem in published.PROBLEMS}
all_problems = pytest.mark.parametrize("problem", published.PROBLEMS, ids=list(by_name))


@pytest.fixture(scope="module")
def results():
    """The result of each problem, from the files in tests/published/."""
    return {name: wateropt.solve(wateropt.load(str(published.FOLDER / f"{name}.yaml"))) for name in by_name}


def volumes(result, name, key):
    """A flow as volumes by period [hm³]."""
    return result.values.get(name, key) * result.case.calendar.days * HM3_PER_M3S_DAY


@all_problems
def test_the_problem_as_it_was_published_has_the_published_optimum(problem):
    """The numbers, in the textbook's own linear program, give the published figure: they were copied rightly."""
    assert problem.program() == pytest.approx(problem.optimum, abs=problem.within)


@all_problems
def test_our_basin_has_the_published_optimum(problem, results):
    """To the published digits, and to what the textbook's program gives to a millionth."""
    assert results[problem.name].status == "optimal"
    found = problem.value(results[problem.name])
    assert found == pytest.approx(problem.optimum, abs=problem.within)
    assert found == pytest.approx(problem.program(), rel=1e-6)


def test_one_lake_has_the_published_schedule_and_prices(results):
    """Power and irrigation: the listing's only optimal schedule, its water value and prices of the turbine."""
    result = results["power-and-irrigation"]
    np.testing.assert_allclose(volumes(result, "turbine", "plant"), [1, 1, 2, 4, 4, 4], atol=1e-6)
    np.testing.assert_allclose(volumes(result, "delivery", "fields"), [0, 0, 1, 3, 3, 3], atol=1e-6)
    np.testing.assert_allclose(result.values.get("storage", "lake"), [6, 7, 8, 8, 7, 5], atol=1e-6)
    np.testing.assert_allclose(result.water_value("lake"), 3.7, rtol=1e-6)
    per_hm3 = np.abs(result.values.reduced_cost("turbine", "plant")
                     + result.values.reduced_cost("block_turbine", ("plant", "day")))
    per_hm3 /= result.case.calendar.days * HM3_PER_M3S_DAY
    np.testing.assert_allclose(per_hm3, [0, 0, 0, 0.2, 0.5, 0.5], atol=1e-6)


def test_hydro_takes_the_dear_periods_as_published(results):
    """First steps: 50, 150 and 150 units of hydropower, the rest of the first period by fuel."""
    result = results["first-steps"]
    np.testing.assert_allclose(result.values.get("energy", ("hydro", "day")), [50, 150, 150], rtol=1e-6)
    np.testing.assert_allclose(result.values.get("exchanged", ("thermal", "day")), [100, 0, 0], atol=1e-4)


def test_the_dam_has_the_published_capacity(results):
    """Capacity and yield: what is built is the capacity, and nothing of the yield is missed."""
    result = results["capacity-and-yield"]
    assert result.values.get("built", "dam") == pytest.approx(14)
    assert volumes(result, "delivery", "yield") == pytest.approx(5)


def test_the_files_are_those_of_the_numbers(tmp_path):
    """`python tests/published_problems.py` would change nothing."""
    def content(folder):
        return {path.relative_to(folder): path.read_text(encoding="utf-8")
                for name in by_name for path in [folder / f"{name}.yaml", *(folder / name).iterdir()]}

    for problem in published.PROBLEMS:
        published.write(problem, tmp_path)
    assert content(tmp_path) == content(published.FOLDER)


def test_every_folder_is_a_problem_that_the_page_tells_of():
    """No basin without a test, none without its source."""
    page = (published.FOLDER / "README.md").read_text(encoding="utf-8")
    folders = {path.name for path in Path(published.FOLDER).iterdir() if path.is_dir()}
    assert folders == set(by_name) | OTHERS
    assert {name for name in folders if f"`{name}`" not in page} == set()
