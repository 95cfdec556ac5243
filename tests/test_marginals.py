"""Derivatives of the cost: whose cost a datum moves, what numbers of tables cost, and up to where that holds.

Each is compared with LPs that are solved with the input changed, at the same head.
"""

import csv
import json
import math
import random

import numpy as np
import pytest

from small import SmallBasin, everything
from wateropt.changes import Change, change_targets
from wateropt.cli import commands
from wateropt.highs import OPTIMAL
from wateropt.marginals import KINK, NO_END, NO_SCHEDULE, ON, Ranger, data_columns
from wateropt.report.tables import marginal_values
from wateropt.solving import LiveCase

CHECKED = ("powerhouse.efficiency", "powerhouse.tailwater", "canal.loss", "unit.cost", "canal.capacity",
           "reservoir.area_at_zero", "demand.value", "powerhouse.capacity")


class Solved:
    """A live case on a head path that can be laid again in a case that differs in one number."""

    def __init__(self, case):
        self.live = LiveCase(case)
        self.path_x = self.live.solve_head()[0].x
        self.live.relinearise(self.path_x)
        self.solution = self.live.solve_cost()
        self.found = self.live.marginals(self.solution)
        self.lp = self.live.present_lp()

    def solve_at(self, column, value):
        """The LP with one column fixed elsewhere."""
        place, there = np.array([column]), np.array([value])
        self.live.highs.change_bounds(place, there, there)
        found = self.live.highs.solve()
        self.live.highs.change_bounds(place, self.lp.lower[place], self.lp.upper[place])
        return found

    def accounts(self, x):
        """Sum of the accounts of each country."""
        horizon, sums = self.live.horizon, dict.fromkeys(self.found.countries, 0.0)
        for place in horizon.stage.groups["account"].index:
            columns = horizon.columns_of("account", place)
            sums[place[0]] += x[columns[columns >= 0]].sum()
        return np.array(list(sums.values()))

    def cost_with(self, change):
        """Cost of the case with a number changed, on the same head path, from the same openings."""
        case = self.live.case.with_change(change)
        object.__setattr__(case.book, "opening", self.live.case.book.opening)
        other = LiveCase(case)
        other.path.step = self.live.path.step
        other.relinearise(self.path_x)
        return other.solve_cost().objective

    def ranger(self):
        self.live.highs.solve()
        return Ranger(self.lp, self.live.highs, self.solution)


@pytest.fixture(scope="module")
def year(monthly):
    return Solved(monthly)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Solved(everything(tmp_path_factory.mktemp("small"), start="2022-10-01", end="2023-09-30"))


@pytest.fixture(scope="module")
def ranged(year):
    """A sample of data with their left and right derivatives: cell -> (column, ranging)."""
    ranger, cells = year.ranger(), list(data_columns(year.live.horizon))
    return {cell[:3]: (cell[3], ranger.range(cell[3])) for cell in random.Random(5).sample(cells, 250)}


# ---- countries -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["year", "small"])
def test_costs_of_countries_sum_to_the_reduced_cost(request, name):
    """Every account belongs to a country or to none, so nothing of the total is lost."""
    solved = request.getfixturevalue(name)
    for group, key, t, column in data_columns(solved.live.horizon):
        total = solved.found.data[group, key][:, t].sum()
        assert total == pytest.approx(solved.solution.reduced[column], rel=1e-9, abs=1e-11)


@pytest.mark.parametrize("name", ["year", "small"])
def test_costs_of_countries_are_differences_of_their_accounts(request, name):
    """Inside the interval of the basis each country's accounts move as told; and they do move, in several countries."""
    solved, moved = request.getfixturevalue(name), set()
    ranger, base = solved.ranger(), solved.accounts(solved.solution.x)
    cells = random.Random(11).sample(list(data_columns(solved.live.horizon)), 60)
    for group, key, t, column in cells:
        rates = ranger.vertex.rates(column)
        value, (room, _) = solved.solution.x[column], ranger.vertex.room(rates, 1)
        step = min(0.5 * room, 0.05 * max(abs(value), 10.0))
        if step < 1e-2:
            continue  # a kink
        rise = (solved.accounts(solved.solve_at(column, value + step).x) - base) / step
        told = solved.found.data[group, key][:, t]
        np.testing.assert_allclose(rise, told, rtol=1e-4, atol=1e-6 / step)
        moved |= {country for country, rate in zip(solved.found.countries, told, strict=True) if abs(rate) > 1e-5}
        solved.live.highs.start_from(ranger.basis)
        solved.live.highs.solve()
    assert len(moved) >= 3


def test_a_price_paid_over_a_border_moves_two_countries_by_as_much(tmp_path):
    """B buys from A at the price of the link: one USD/MWh more is A's gain and B's loss, and no cost to both."""
    basin = SmallBasin().inflow("river", "end", 1).sink("sea", "end").grid(load=0).grid("other", "B", load=10)
    basin.exchange("seller", "supply", 20).link("line", "grid", "other", 100, price=30)
    solved = Solved(basin.load(tmp_path))
    number = next(n for n in solved.found.numbers if (n.input, n.where) == ("link.price", "line"))
    gwh = 10 * 24 * 59 / 1e3
    by_country = dict(zip(solved.found.countries, number.musd, strict=True))
    assert by_country["A"] == pytest.approx(-gwh / 1e3)
    assert by_country["B"] == pytest.approx(gwh / 1e3)
    assert number.musd.sum() == pytest.approx(0.0, abs=1e-12)


# ---- numbers of tables -----------------------------------------------------------------------------------


def change_to(solved, number, value):
    """The change of the scenario that sets a number."""
    table, column = number.input.split(".")
    target = change_targets()[table]
    names = target.component, "zone"
    where = dict(zip(names, number.where.split("/"), strict=False))
    if number.period is not None:
        where["month"] = int(solved.live.case.calendar.months[number.period])
    return Change(table=table, column=column, where=where, set=value)


def allowed(number, value):
    table, column = number.input.split(".")
    return next(c for c in change_targets()[table].columns if c.name == column).allows(value)


def one_sided(solved, number):
    """Differences of the cost to the left and to the right, or the one that the limits of the number allow."""
    step = 1e-4 * max(abs(number.value), 0.1)
    cost = solved.solution.objective
    return [sign * (solved.cost_with(change_to(solved, number, number.value + sign * step)) - cost) / step
            for sign in (-1, 1) if allowed(number, number.value + sign * step)]


def assert_numbers(solved, numbers, least):
    """Numbers agree with differences away from kinks."""
    smooth = 0
    for number in numbers:
        rates = one_sided(solved, number)
        if len(rates) < 2 or abs(rates[1] - rates[0]) > 1e-2 * abs(rates[0]) + 1e-5:
            continue
        smooth += 1
        assert np.mean(rates) == pytest.approx(number.musd.sum(), rel=2e-3, abs=2e-5), number
    assert smooth >= least


def test_numbers_of_tables_agree_with_differences(small):
    """Of a plant, a canal, a unit, a lake and a link: efficiency, tailwater, loss, cost, bound, area, price."""
    by_input = {n.input: n for n in small.found.numbers if abs(n.musd.sum()) > 1e-7}
    assert_numbers(small, [by_input[name] for name in CHECKED], 6)


@pytest.mark.slow
def test_numbers_of_every_table_agree_with_differences(small):
    """One number of every input that has a price."""
    by_input = {n.input: n for n in small.found.numbers if abs(n.musd.sum()) > 1e-7 and "." in n.input}
    numbers = list(by_input.values())
    assert_numbers(small, numbers, 12)


@pytest.mark.slow
def test_numbers_of_the_shipped_basin_agree_with_differences(year):
    """Of all inputs of the Syr Darya: three numbers of each, those that cost most."""
    by_input = {}
    for number in sorted(year.found.numbers, key=lambda n: -abs(n.musd.sum())):
        by_input.setdefault(number.input, []).append(number)
    chosen = [n for name, group in by_input.items() if "." in name for n in group[:3]]
    assert len(by_input) >= 20
    assert_numbers(year, chosen, 30)


def test_the_value_of_what_is_left_is_an_input(small):
    """One USD/m³ more for water left behind saves what is left."""
    number = next(n for n in small.found.numbers if n.input == "closing_value")
    left = small.solution.x[small.live.horizon.columns_of("storage", "lake")[-1]]
    assert (number.where, number.value) == ("lake", 0.01)
    assert number.musd.sum() == pytest.approx(-left)


# ---- ranging ------------------------------------------------------------------------------------------------


def sides(ranged):
    for column, found in ranged.values():
        for sign, side in ((-1, found.left), (1, found.right)):
            yield column, found, sign, side


def test_ranging_is_that_of_highs(year, ranged):
    """Where the basis holds on a side, HiGHS' own ranging ends at the same value."""
    year.live.highs.start_from(year.ranger().basis)
    year.live.highs.solve()
    own, compared = year.live.highs.ranging(), 0
    ends = {-1: np.array(own.col_bound_dn.value_), 1: np.array(own.col_bound_up.value_)}
    for column, found, sign, side in sides(ranged):
        if not found.again:
            assert side.until == pytest.approx(ends[sign][column], rel=1e-6, abs=1e-6)
            compared += 1
    assert compared > 200


def test_derivatives_rise_from_left_to_right_around_the_dual(year, ranged):
    """The cost is convex in a datum: left <= dual <= right; where they are apart, the datum is at a kink."""
    kinks = 0
    for column, found in ranged.values():
        left, right, rate = found.left.rate, found.right.rate, year.solution.reduced[column]
        assert math.isnan(left) or left <= rate + 1e-8
        assert math.isnan(right) or rate <= right + 1e-8
        kinks += found.kink
    assert 5 <= kinks <= 100


def test_just_inside_its_interval_a_derivative_holds(year, ranged):
    """The cost follows the derivative almost to the end of the interval."""
    told = 0
    for column, found, _sign, side in list(sides(ranged))[::3]:
        if math.isnan(side.rate) or side.end == NO_END or abs(side.until - found.value) < 1e-2:
            continue
        there = found.value + 0.999 * (side.until - found.value)
        cost = year.solve_at(column, there).objective
        told += 1
        assert cost - year.solution.objective == pytest.approx(side.rate * (there - found.value), rel=1e-5, abs=1e-5)
    assert told > 60


def test_just_outside_its_interval_a_derivative_holds_no_longer(year, ranged):
    """Beyond a kink the derivative is another, beyond the last schedule there is none, beyond other ends it goes on."""
    seen = set()
    for column, found, sign, side in list(sides(ranged))[::2]:
        if side.end == NO_END:
            continue
        outside = year.solve_at(column, side.until + sign * 1e-4 * max(abs(side.until), 1.0))
        seen.add(side.end)
        assert (outside.status == OPTIMAL) == (side.end != NO_SCHEDULE)
        if side.end == KINK:
            assert sign * (outside.reduced[column] - side.rate) > 1e-9, (found, side)
        if side.end == ON:
            assert outside.reduced[column] == pytest.approx(side.rate, rel=1e-5, abs=1e-8)
    assert seen == {KINK, ON, NO_SCHEDULE}


# ---- what is written ----------------------------------------------------------------------------------------


def test_columns_of_countries_sum_in_the_table(monthly_result):
    """In marginal_values.csv too; and a number that never changes has one row without a date."""
    rows = list(marginal_values(monthly_result))
    for row in rows:
        parts = [value for name, value in row.items() if name.startswith("musd_per_unit_")]
        assert sum(parts) == pytest.approx(row["musd_per_unit"], rel=1e-8, abs=1e-10)
    efficiency = [row for row in rows if (row["input"], row["where"]) == ("powerhouse.efficiency", "toktogul")]
    assert [(row["start"], row["musd_per_unit"] < 0) for row in efficiency] == [("", True)]


def test_ranging_is_written_when_it_is_asked_for(tmp_path):
    """A load below what the seller gives costs its price, above it what is unserved costs: a kink in between."""
    basin = SmallBasin().inflow("river", "end", 1).sink("sea", "end")
    basin.grid(load=100, unserved=1000).exchange("seller", "supply", 50, limit=100).load(tmp_path)
    scenario, out = str(tmp_path / "small.yaml"), str(tmp_path / "out")
    commands.main(["solve", scenario, "--out", out, "--ranging", "--workers", "1"], standalone_mode=False)
    with (tmp_path / "out" / "small" / "ranging.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["input"] == "grid_load"]
    assert len(rows) == 4
    for row in rows:
        assert row["kink"] == "yes"
        assert float(row["left_musd_per_unit"]) == pytest.approx(0.05, rel=1e-6)
        assert float(row["right_musd_per_unit"]) == pytest.approx(1.0, rel=1e-6)
        assert row["right_until"] == ""
        assert row["right_end"] == "none"
        assert float(row["left_until"]) == pytest.approx(0.0, abs=1e-6)
    facts = json.loads((tmp_path / "out" / "small" / "summary.json").read_text(encoding="utf-8"))
    assert facts["ranging"]["kinks"] >= 4
