"""`wateropt explain`: what holds a value of a schedule where it is, and what the next-best use of that water was."""

import numpy as np
import pytest

from small import SmallBasin
from wateropt.cli import commands
from wateropt.errors import UsageError
from wateropt.head import SLOTS
from wateropt.report.files import write_result
from wateropt.solving import LiveCase, solve
from wateropt.studies.explain import Explainer, find_cell, in_words

SHIPPED = [  # cells of dry-2023: dams, fields, claims, exchange, in winter and in summer
    "release:toktogul@2023-01-11", "release:toktogul@2023-07-21", "release:toktogul@2022-12-01",
    "release:kairakkum@2023-06-11", "release:charvak@2023-06-21", "release:andijan@2023-05-01",
    "delivery:dostyk_cotton@2023-07-01", "claim_taken:kairakkum_closure@2023-06-11", "storage:toktogul@2023-03-21",
    "exchanged:uz_supply_1/rest@2023-04-21",
]
MONTHLY = ["release:toktogul@2023-01-01", "delivery:dostyk_cotton@2023-07-01"]
LEAST_COST = 1e-5  # MUSD: of smaller ones a hundredth is less than what the solver's tolerances leave


def cost_of(explainer, **held):
    """Cost of the case, loaded anew on the same head path, with some cells held."""
    hold = {}
    for name, value in held.items():
        group, key, t = find_cell(explainer.horizon, name)
        hold.setdefault((group, key), np.full(explainer.horizon.periods, np.nan))[t] = value
    live = LiveCase(explainer.live.case, hold)
    live.horizon.stage.slots.update({name: explainer.horizon.stage.slots[name] for name in SLOTS})
    live.path.storage, live.path.step = explainer.live.path.storage, explainer.live.path.step
    live._patch()
    return live.solve_cost(far=True).objective


def assert_alternatives(explainer, name):
    """Forcing the cell, and forcing it with the first thing that moves, both cost what was told, to a hundredth."""
    found, base = explainer.explain(name), explainer.solution.objective
    told = [one for one in found.alternatives if one.cost is not None]
    assert found.next_best in told
    for one in told:
        assert one.moves
        assert one.cost >= -1e-6
        near = pytest.approx(one.cost, rel=0.01, abs=LEAST_COST)
        assert cost_of(explainer, **{name: one.value}) - base == near
        assert cost_of(explainer, **{name: one.value, one.moves[0].cell: one.moves[0].value}) - base == near
        assert sum(one.by_country.values()) == near
    return [one.cost for one in told]


@pytest.fixture(scope="module")
def months(monthly):
    return Explainer(monthly)


def test_named_alternatives_cost_what_is_told(months):
    """Of two cells by months; each is solved anew with the cell and with what is named for it held."""
    costs = [cost for name in MONTHLY for cost in assert_alternatives(months, name)]
    assert sum(cost > 10 * LEAST_COST for cost in costs) >= 2


@pytest.mark.slow
def test_named_alternatives_of_ten_shipped_cells_cost_what_is_told(dry):
    """The same of ten cells of the shipped year by dekads."""
    explainer = Explainer(dry)
    costs = [cost for name in SHIPPED for cost in assert_alternatives(explainer, name)]
    assert sum(cost > 10 * LEAST_COST for cost in costs) >= 10


def test_an_explanation_is_of_the_written_schedule(months, monthly_result):
    """The value, its limits, and a range of equals that holds it."""
    found = months.explain("release:toktogul@2023-01-01", 0.01)
    t = next(t for t, day in enumerate(monthly_result.case.calendar.starts) if day.isoformat() == "2023-01-01")
    assert found.value == pytest.approx(monthly_result.values.get("release", "toktogul")[t], rel=1e-9)
    assert found.limits[0] <= found.equals[0] <= found.value <= found.equals[1] <= found.limits[1]
    text = "\n".join(in_words(found))
    assert "water value" in text
    assert "USD/MWh" in text


# ---- by hand ---------------------------------------------------------------------------------------------


def two_months(folder, **lake):
    """A lake of 500 hm³ above a field that pays 0.1 USD/m³ for 100 m³/s in January and 0.2 USD/m³ in February."""
    basin = SmallBasin().inflow("river", "lake", 0.0).lake("lake", "below", **lake).sink("end", "below")
    basin.demand("field", "below", 100, 0.1, weight=[1.0, 2.0] + [1.0] * 10)
    return basin.load(folder, opening={"storage": {"lake": 300}, "release": {"lake": 0}})


def test_water_not_used_now_goes_to_the_next_best_use(tmp_path):
    """300 hm³ serve February (242 hm³) and part of January: less in February serves January, at half the value."""
    explainer = Explainer(two_months(tmp_path))
    found = explainer.explain("delivery:field@2023-02-01")
    less = found.alternatives[0]
    assert less.amount == pytest.approx(-0.01 * 100 * 28 * 0.0864)
    assert less.cost == pytest.approx(-less.amount * 0.1)
    january = next(move for move in less.moves if move.cell == "delivery:field@2023-01-01")
    assert january.amount == pytest.approx(-less.amount)
    assert any("shortage:field/0@2023-02-01 is at its least value 0" in line for line in in_words(found))


def test_what_is_given_has_no_alternative(tmp_path):
    """An inflow is told as given, with its marginal value."""
    lines = list(in_words(Explainer(two_months(tmp_path)).explain("inflow:river@2023-01-01")))
    assert "it is given" in lines[1]
    assert lines[-1] == "  it is given, not chosen"


def test_a_value_at_its_limit_says_so(tmp_path):
    """A minimum release larger than what the field needs."""
    found = Explainer(two_months(tmp_path, minimum_release_m3s=50)).explain("release:lake@2023-01-01")
    assert found.value == pytest.approx(50.0)
    assert any("least allowed value" in line for line in in_words(found))
    assert all(one.amount > 0 for one in found.alternatives)


@pytest.mark.parametrize(("cell", "said"), [
    ("relase:lake@2023-01-01", "did you mean `release`"), ("release:lkae@2023-01-01", "did you mean `lake`"),
    ("release:lake@2023-01-02", "did you mean `2023-01-01`"), ("release", "no cell `release`"),
])
def test_an_unknown_cell_is_named_with_the_nearest(tmp_path, cell, said):
    """Variable, id and date are looked up one after the other."""
    live = LiveCase(two_months(tmp_path))
    with pytest.raises(UsageError, match=said):
        find_cell(live.horizon, cell)


def test_the_command_explains_a_written_result(tmp_path, capsys):
    """It loads the scenario of the folder again and prints lines."""
    case = two_months(tmp_path)
    write_result(solve(case), tmp_path / "result")
    commands.main(["explain", str(tmp_path / "result"), "release:lake@2023-02-01", "--scenario",
                   str(tmp_path / "small.yaml")], standalone_mode=False)
    said = capsys.readouterr().out
    assert said.startswith("release:lake@2023-02-01 is 100 m3/s\n")
    assert "the next-best use" in said
