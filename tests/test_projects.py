"""Projects: what is dear is not built, what is free is built whole, and in between it is worth what it costs."""

import numpy as np
import pytest

import wateropt
from small import SmallBasin
from wateropt.errors import DataError
from wateropt.report.files import table

YEAR = {"start": "2022-10-01", "end": "2023-09-30"}
DAYS = 365
A_YEAR = DAYS / 365.25
WET = [150, 140, 120, 90, 60, 20, 20, 20, 20, 60, 90, 120]
MOST = {"reservoir": 800.0, "powerhouse": 60.0, "canal": 60.0, "lining": 1.0, "unit": 100.0}
BASE = {"reservoir": 200.0, "powerhouse": 20.0, "canal": 30.0}
ASSET = {"reservoir": "lake", "powerhouse": "low", "canal": "canal", "lining": "canal", "unit": "wind"}
STEPS = [{"up_to": 0.2, "factor": 1.0}, {"up_to": 0.4, "factor": 2.0}, {"up_to": 0.6, "factor": 3.0},
         {"up_to": 0.8, "factor": 4.0}, {"up_to": 1.0, "factor": 5.0}]


def basin(**more):
    """A basin short of storage, turbines, canals and power; `more` capacity by kind stands already."""
    size = {kind: value + more.get(kind, 0.0) for kind, value in BASE.items()}
    return (SmallBasin(shortage_steps=STEPS).inflow("river", "lake", WET)
            .lake("lake", "below", full_storage_hm3=size["reservoir"])
            .plant("low", "below", "town", head_m=50, capacity_mw=size["powerhouse"]).sink("end", "town")
            .canal("canal", "town", "far", size["canal"], loss=0.3).demand("field", "far", WET[::-1], 0.02)
            .grid(load=[100 + 5 * k for k in range(12)], unserved=300).exchange("fuel", "supply", 80, limit=40))


def wind(made):
    """Add a unit that can be built: `available` is what each MW of it gives."""
    return made.unit("wind", 0.0, [0.3 + 0.05 * (k % 5) for k in range(12)], kind="hydro")


def solved(folder, kind, cost, most=None, **more):
    """The result of a basin with one project; without a cost there is none."""
    made = wind(basin(**more)) if kind == "unit" and cost is not None else basin(**more)
    if cost is not None:
        made.project("works", kind, ASSET[kind], MOST[kind] if most is None else most, cost)
    return wateropt.solve(made.load(folder, opening={"storage": {"lake": 100}, "release": {"lake": 60}}, **YEAR))


def built(result):
    return result.values.get("built", "works")


@pytest.mark.parametrize("kind", MOST)
def test_what_is_too_dear_is_not_built(tmp_path, kind):
    """And a project that is not built costs nothing."""
    dear, none = solved(tmp_path / "dear", kind, 1e4), solved(tmp_path / "none", kind, None)
    np.testing.assert_allclose(built(dear), 0, atol=1e-9)
    assert dear.objective == pytest.approx(none.objective, rel=1e-9)


@pytest.mark.parametrize("kind", MOST)
def test_what_is_nearly_free_is_built_whole(tmp_path, kind):
    """A shortage that every unit lessens asks for all of it; it saves money."""
    cheap, none = solved(tmp_path / "cheap", kind, 1e-9), solved(tmp_path / "none", kind, None)
    most = MOST[kind]
    if kind in ("powerhouse", "unit", "lining"):
        np.testing.assert_allclose(built(cheap), most, rtol=1e-9)
    assert built(cheap)[0] > 0.5 * most
    assert cheap.objective < none.objective - 0.1


@pytest.mark.parametrize("kind", MOST)
def test_what_is_built_is_the_same_in_all_periods(tmp_path, kind):
    """Its opening is chosen and never changes."""
    result = solved(tmp_path, kind, 1e-9)
    assert np.ptp(result.values.with_opening("built", "works")) < 1e-9


@pytest.mark.parametrize("kind", ["reservoir", "powerhouse", "canal"])
def test_building_is_as_good_as_having(tmp_path, kind):
    """What is built for nothing costs as much as if it had stood there before."""
    free = solved(tmp_path / "free", kind, 0.0, most=10.0)
    there = solved(tmp_path / "there", kind, None, **{kind: 10.0})
    assert free.objective == pytest.approx(there.objective, rel=1e-6)


@pytest.mark.parametrize("kind", ["reservoir", "powerhouse", "canal"])
def test_what_is_built_is_worth_its_cost_at_the_margin(tmp_path, kind):
    """One more unit of existing capacity saves as much a year as one unit less of the project costs, days / 365.25."""
    middle = (solved(tmp_path / "none", kind, None).objective - solved(tmp_path / "all", kind, 0.0).objective) / (
        MOST[kind] * A_YEAR)
    cost = 0.8 * middle
    result = solved(tmp_path / "base", kind, cost)
    assert 1 < built(result)[0] < MOST[kind] - 1
    more = solved(tmp_path / "more", kind, cost, **{kind: 1.0})
    assert result.objective - more.objective == pytest.approx(cost * A_YEAR, rel=1e-4)
    assert built(result)[0] - built(more)[0] == pytest.approx(1.0, abs=1e-4)


@pytest.mark.parametrize(("kind", "step"), [("lining", 0.05), ("unit", 1.0)])
def test_one_unit_less_loses_what_it_costs(tmp_path, kind, step):
    """Nothing of these stands yet: the last unit that is built saves at least its annual cost, days / 365.25."""
    whole = solved(tmp_path / "none", kind, None).objective - solved(tmp_path / "all", kind, 0.0).objective
    cost = 0.8 * whole / (MOST[kind] * A_YEAR)
    best = solved(tmp_path / "base", kind, cost)
    size = built(best)[0]
    assert step < size <= MOST[kind]
    saved = solved(tmp_path / "free", kind, 0.0, most=size - step).objective - solved(
        tmp_path / "one", kind, 0.0, most=size).objective
    assert saved >= cost * A_YEAR * step - 1e-6


@pytest.mark.parametrize("kind", MOST)
def test_the_annual_cost_is_accounted_once_a_year(tmp_path, kind):
    """The account of a year is what is built times its annual cost, spread over the days."""
    result = solved(tmp_path, kind, 1e-3)
    (line,) = result.ledger("account", "investment")
    assert line.place == ("A", "investment", "money")
    days = result.case.calendar.days
    np.testing.assert_allclose(line.values, 1e-3 * built(result) * days / 365.25, rtol=1e-9)


def test_a_flood_level_holds_for_what_is_built_too(tmp_path):
    """A lake kept low for floods is kept low, plus what is built; the calendar's level is not lost by building."""
    made = basin().profile("reservoir_limit", {"reservoir": "lake"}, maximum_storage_hm3=[120] * 12)
    made.project("works", "reservoir", "lake", 50, 1e-9)
    result = wateropt.solve(made.load(tmp_path, opening={"storage": {"lake": 100}, "release": {"lake": 60}}, **YEAR))
    storage = result.values.get("storage", "lake")
    assert storage.max() == pytest.approx(120 + built(result)[0], rel=1e-9)


def test_plants_show_what_is_built(tmp_path):
    """`capacity_mw` is that of the plant with its new turbines."""
    shown = table(solved(tmp_path, "powerhouse", 1e-9), "plants")
    assert shown.capacity_mw.unique().tolist() == pytest.approx([80.0])
    assert (shown.energy_gwh <= 80.0 * shown.days * 24e-3 + 1e-9).all()


@pytest.mark.parametrize(("kind", "asset", "words"), [
    ("reservoir", "lke", "no reservoir `lke`; did you mean `lake`?"),
    ("lining", "cannal", "no canal `cannal`; did you mean `canal`?"),
    ("unit", "low", "no unit `low`; valid: `wind`"), ("dam", "lake", "`kind` is `dam`"),
])
def test_a_wrong_asset_is_one_clear_error(tmp_path, kind, asset, words):
    """The row is named, and the nearest asset of that kind."""
    with pytest.raises(DataError) as error:
        wind(basin()).project("works", kind, asset, 1, 1).load(tmp_path, **YEAR)
    (problem,) = error.value.problems
    assert str(problem).startswith("project.csv, line 2, works: ")
    assert words in str(problem)
