"""Facts of water and energy, on basins small enough to know the answer."""

from itertools import permutations

import numpy as np
import pytest

import wateropt
from small import STEPS, SmallBasin
from wateropt.changes import Change
from wateropt.horizon import Horizon
from wateropt.scenario import build_case
from wateropt.solving import LiveCase

DAYS = np.array([31.0, 28.0])
KAPPA = 0.0864 * DAYS
FLAT = ((0, 150.0), (500, 150.0 + 1e-9), (1000, 150.0 + 2e-9))
PER_M = 0.002725 * 0.9  # GWh that 1 hm3 gives per metre


def opening(storage, release=0.0):
    return {"storage": {"lake": storage}, "release": {"lake": release}}


def later(now, then):
    """A profile with one value in January and another in February."""
    return [now, then, *([0.0] * 10)]


# ---- water for fields -------------------------------------------------------------------------------


def test_water_waits_for_the_field(tmp_path):
    """What January does not need is kept for February; only what is missing then costs."""
    case = (SmallBasin().inflow("river", "lake", 10).lake("lake", "below").sink("end", "below")
            .demand("field", "below", later(0, 150), 0.05).load(tmp_path, opening=opening(200)))
    result = wateropt.solve(case)
    missing = 150 * KAPPA[1] - 200 - 10 * KAPPA.sum()
    assert missing > 0
    assert result.objective == pytest.approx(0.05 * missing, rel=1e-9)
    assert result.water_value("lake") == pytest.approx([0.05, 0.05])
    assert result.values.get("storage", "lake")[0] == pytest.approx(200 + 10 * KAPPA[0])


def test_a_full_lake_cannot_wait(tmp_path):
    """Storage above full supply level is no storage: what does not fit is lost to the field."""
    case = (SmallBasin().inflow("river", "lake", 10).lake("lake", "below", full_storage_hm3=210).sink("end", "below")
            .demand("field", "below", later(0, 150), 0.05).load(tmp_path, opening=opening(200)))
    result = wateropt.solve(case)
    assert result.objective == pytest.approx(0.05 * (150 * KAPPA[1] - 210 - 10 * KAPPA[1]), rel=1e-9)
    assert result.water_value("lake") == pytest.approx([0.0, 0.05])


def test_shortage_fills_its_steps_in_order(tmp_path):
    """With three tenths of the water, the cheapest steps of shortage are full before the next one begins."""
    case = (SmallBasin(shortage_steps=STEPS).inflow("river", "town", 30).sink("end", "town")
            .demand("field", "town", 100, 0.02).load(tmp_path))
    result = wateropt.solve(case)
    for step, share in enumerate((0.1, 0.4, 0.2)):
        np.testing.assert_allclose(result.values.get("shortage", ("field", step)), 100 * share, atol=1e-9)
    asked = 100 * KAPPA.sum()
    assert result.objective == pytest.approx(0.02 * asked * (0.1 * 1 + 0.4 * 2 + 0.2 * 4), rel=1e-9)
    assert result.water_value("town") == pytest.approx([0.08, 0.08])


def test_towns_come_before_fields_and_fields_before_wetlands(tmp_path):
    """At one node the wetland is short first, then the field, and the town last."""
    uses = {"town": 0.5, "field": 0.05, "wetland": 0.003}
    for supply, expected in ((25, (0, 0, 5)), (12, (0, 8, 10)), (6, (4, 10, 10))):
        basin = SmallBasin().inflow("river", "node", supply).sink("end", "node")
        for use, value in uses.items():
            basin.demand(use, "node", 10, value, use=use)
        result = wateropt.solve(basin.load(tmp_path))
        for use, short in zip(uses, expected, strict=True):
            np.testing.assert_allclose(result.values.get("shortage", (use, 0)), short, atol=1e-9)


def test_sensitive_months_are_served_first(tmp_path):
    """A lake keeps water for the month in which the crop suffers more."""
    case = (SmallBasin().lake("lake", "below").sink("end", "below")
            .demand("field", "below", 100, 0.02, weight=later(0.5, 2.0)).load(tmp_path, opening=opening(300)))
    result = wateropt.solve(case)
    assert result.values.get("shortage", ("field", 0))[1] == pytest.approx(0.0, abs=1e-9)
    assert result.objective == pytest.approx(0.02 * 0.5 * (100 * KAPPA.sum() - 300), rel=1e-9)


def test_a_claim_that_is_not_met_costs_its_price(tmp_path):
    """Where less water comes than is claimed, the rest is priced, and there is still a schedule."""
    case = (SmallBasin().inflow("river", "gauge", 30).gain("canals", "gauge", -50, 0.2).sink("end", "gauge")
            .load(tmp_path))
    result = wateropt.solve(case)
    assert result.status == "optimal"
    np.testing.assert_allclose(result.values.get("claim_unmet", "canals"), 20, atol=1e-9)
    assert result.account(item="claim_unmet", kind="penalty") == pytest.approx(0.2 * 20 * KAPPA.sum(), rel=1e-9)
    assert result.objective == pytest.approx(0.2 * 20 * KAPPA.sum(), rel=1e-9)


def test_return_flow_comes_back_late(tmp_path):
    """Three tenths of February's water come back 40 days later: 19 of 28 parts in March, 9 in April."""
    field = [0, 20, *([0] * 10)]
    case = (SmallBasin().inflow("river", "head", 50).sink("end", "head").sink("drain", "low")
            .demand("field", "head", field, 0.05, return_share=0.3, return_days=40, outfall="low")
            .load(tmp_path, end="2023-06-30"))
    result = wateropt.solve(case)
    back = next(result.ledger("node", "return_flow")).values
    whole = 0.3 * 20 * KAPPA[1]
    np.testing.assert_allclose(back, [0, 0, whole * 19 / 28, whole * 9 / 28, 0, 0], atol=1e-9)
    np.testing.assert_allclose(0.0864 * 31 * result.values.get("sea_inflow", "drain")[2], back[2], rtol=1e-9)


def test_an_off_stream_lake_keeps_a_surplus(tmp_path):
    """January's flood fills the side lake as far as its canal and loss allow; February's field gets it."""
    case = (SmallBasin().inflow("river", "head", later(100, 10)).canal("feeder", "head", "lake", 40, loss=0.1)
            .lake("lake", "head").sink("end", "head").demand("field", "head", later(20, 50), 0.05)
            .load(tmp_path, opening=opening(0)))
    result = wateropt.solve(case)
    kept = 0.9 * 40 * KAPPA[0]
    assert result.values.get("storage", "lake")[0] == pytest.approx(kept, rel=1e-9)
    assert result.objective == pytest.approx(0.05 * (40 * KAPPA[1] - kept), rel=1e-9)


def test_evaporation_follows_the_mean_of_the_storages(tmp_path):
    """A lake nobody uses shrinks by depth times the area at its mean storage."""
    case = (SmallBasin().lake("lake", "below", evaporation=4.0, area_at_zero_km2=10, area_slope_km2_per_hm3=0.05)
            .sink("end", "below").load(tmp_path, opening=opening(800), closing_value={"lake": 0.01}))
    result = wateropt.solve(case)
    storage = 800.0
    for t, days in enumerate(DAYS):
        depth = 4.0 * days * 1e-3
        after = (storage * (1 - depth * 0.025) - depth * 10) / (1 + depth * 0.025)
        assert result.values.get("storage", "lake")[t] == pytest.approx(after, rel=1e-9)
        storage = after


def test_evaporation_that_the_inflow_is_net_of_is_not_taken_twice(tmp_path):
    """Where the series is net of the observed lake's evaporation, an unchanged lake loses nothing."""
    basin = (SmallBasin().lake("lake", "below", evaporation=4.0, area_at_zero_km2=10).sink("end", "below")
             .profile("inflow_flow", {"inflow": "river"}, flow_m3s=5, evaporation_included_m3s=40e-3 / 0.0864))
    basin.tables["inflow"].append({"inflow": "river", "node": "lake", "country": "A", "evaporation": "included",
                                   "reservoir": "lake"})
    result = wateropt.solve(basin.load(tmp_path, opening=opening(500), closing_value={"lake": 0.01}))
    np.testing.assert_allclose(result.values.get("storage", "lake"), 500 + 5 * np.cumsum(KAPPA), rtol=1e-9)


# ---- water for energy -------------------------------------------------------------------------------


def seller(prices, levels=FLAT, flow=0.0, limit=1e5, design=1e4):
    """A lake whose energy is sold at a price of each month; tailwater at 50 m."""
    basin = (SmallBasin().lake("lake", "below", levels=levels).sink("end", "below").grid()
             .plant("plant", "lake", "below", reservoir="lake", tailwater_m=50.0, design_flow_m3s=design)
             .exchange("buyer", "absorb", later(*prices), limit=limit))
    return basin.inflow("river", "lake", flow)


def test_water_is_turbined_when_energy_is_dear(tmp_path):
    """February pays double: its turbines run full, January gets the rest and gives the water its value."""
    result = wateropt.solve(seller((20, 40), design=100).load(tmp_path, opening=opening(500)))
    february = 100 * KAPPA[1]
    per_hm3 = PER_M * 100
    assert result.values.get("turbine", "plant") * KAPPA == pytest.approx([500 - february, february])
    assert result.objective == pytest.approx(-1e-3 * per_hm3 * (40 * february + 20 * (500 - february)), rel=1e-6)
    assert result.water_value("lake") == pytest.approx([1e-3 * 20 * per_hm3] * 2, rel=1e-6)


def test_a_plant_gives_no_more_than_its_capacity(tmp_path):
    """A plant of 20 MW sells 20 MW, however much water there is."""
    basin = seller((20, 40))
    basin.tables["powerhouse"][0]["capacity_mw"] = 20
    result = wateropt.solve(basin.load(tmp_path, opening=opening(900)))
    assert result.objective == pytest.approx(-20 * 24e-6 * (20 * 31 + 40 * 28), rel=1e-6)


def test_two_transfers_of_a_trade_sum_to_zero(monthly_result):
    """What one country receives for energy the others pay, in every period and over the year."""
    lines = list(monthly_result.ledger("account", "electricity_trade"))
    assert max(np.abs(line.values).max() for line in lines) > 0.1
    np.testing.assert_allclose(sum(line.values for line in lines), 0.0, atol=1e-12)
    assert monthly_result.account(kind="transfer") == pytest.approx(0.0, abs=1e-9)


def test_energy_comes_by_the_cheaper_way_and_pays_its_loss(tmp_path):
    """A load of 100 MW over a line that loses 2 % costs the seller's price over 0.98; the price of the line moves."""
    case = (SmallBasin().inflow("river", "node", 1).sink("end", "node").grid("grid", "A", load=100)
            .grid("other", "B").exchange("fuel", "supply", 50, grid="other", country="B")
            .exchange("dear", "supply", 60).link("line", "other", "grid", 500, loss=0.02, price=70).load(tmp_path))
    result = wateropt.solve(case)
    sent = 100 * 24e-3 * DAYS.sum() / 0.98
    assert result.objective == pytest.approx(1e-3 * 50 * sent, rel=1e-9)
    assert result.account("A", "electricity_trade") == pytest.approx(1e-3 * 70 * sent, rel=1e-9)
    assert result.account("B", "electricity_trade") == pytest.approx(-1e-3 * 70 * sent, rel=1e-9)
    assert result.price("grid", "peak") == pytest.approx([50 / 0.98] * 2)


# ---- head -------------------------------------------------------------------------------------------

STRAIGHT = ((0, 100), (500, 150), (1000, 200))
CURVED = ((0, 60), (300, 140), (1000, 200))
FLOW, FIRST, LAST = 20.0, 800.0, 300.0


def best_income(case, prices, limit):
    """Largest income of any storage at the end of January, with the true level curve."""
    level = case.basin.curves["lake"].elevation
    middle = np.linspace(0, 1000, 100_001)
    first, second = FIRST - middle + FLOW * KAPPA[0], middle - LAST + FLOW * KAPPA[1]
    made = [PER_M * (level(0.5 * (a + b)) - 50) * volume
            for a, b, volume in ((FIRST, middle, first), (middle, LAST, second))]
    sold = [np.minimum(energy, limit * 24e-3 * days) for energy, days in zip(made, DAYS, strict=True)]
    income = 1e-3 * (prices[0] * sold[0] + prices[1] * sold[1])
    return income[(first >= 0) & (second >= 0)].max()


def solve_head(folder, prices, levels, limit):
    case = seller(prices, levels, FLOW, limit).load(folder, opening=opening(FIRST), closing={"storage": {"lake": LAST}})
    return wateropt.solve(case), best_income(case, prices, limit)


@pytest.mark.parametrize("levels", [STRAIGHT, CURVED])
@pytest.mark.parametrize("prices", [(20, 40), (40, 20), (40, 40), (42, 40)])
@pytest.mark.parametrize("limit", [100, 150, 200])
def test_head_iterations_find_the_true_optimum(tmp_path, levels, prices, limit):
    """Energy sold from one lake in two months earns what the best of 100 001 storages would earn."""
    result, best = solve_head(tmp_path, prices, levels, limit)
    assert -result.objective == pytest.approx(best, rel=2e-4)


@pytest.mark.parametrize("prices", [(20, 40), (40, 20), (50, 40)])
def test_head_iterations_find_the_true_optimum_without_a_limit(tmp_path, prices):
    """The same where the market takes everything."""
    result, best = solve_head(tmp_path, prices, CURVED, 1e5)
    assert result.status == "optimal"
    assert -result.objective == pytest.approx(best, rel=2e-4)


@pytest.mark.parametrize("prices", [(40, 40), (41, 40)])
def test_head_iterations_find_the_higher_of_two_optima(tmp_path, prices):
    """At nearly equal prices a full lake earns more than an empty one."""
    result, best = solve_head(tmp_path, prices, CURVED, 1e5)
    assert -result.objective == pytest.approx(best, rel=2e-4)


def test_an_optimum_between_the_limits_settles(tmp_path):
    """An optimum at which no limit of the basin binds is found and called optimal."""
    assert solve_head(tmp_path, (42, 40), STRAIGHT, 1e5)[0].status == "optimal"


# ---- what changes what ------------------------------------------------------------------------------


def valley(scale):
    """A lake, a plant, a field and a town, with every volume and power `scale` times as large."""
    levels = [(scale * storage, z) for storage, z in CURVED]
    return (SmallBasin(shortage_steps=STEPS).inflow("river", "lake", scale * 20).grid(load=scale * 100)
            .lake("lake", "below", levels=levels, full_storage_hm3=scale * 1000, area_at_zero_km2=scale * 5,
                  area_slope_km2_per_hm3=0.02, evaporation=3, minimum_release_m3s=scale * 5)
            .plant("plant", "lake", "below", reservoir="lake", tailwater_m=30, capacity_mw=scale * 60,
                   design_flow_m3s=scale * 80)
            .exchange("import", "supply", later(35, 20), limit=scale * 50).gain("offtake", "below", -scale * 3, 0.3)
            .demand("field", "below", later(scale * 10, scale * 140), 0.02).sink("end", "mouth", scale * 10, 0.1)
            .reach("reach", "below", "mouth", 4.5, loss=0.1, before=scale * 10))


@pytest.mark.parametrize("fixed", [True, False])
def test_scaled_volumes_scale_the_cost(tmp_path, fixed):
    """A valley seven times as large costs seven times as much."""
    costs = [wateropt.solve(valley(k).load(tmp_path / str(k), opening=opening(k * 500, k * 20)), fixed_head=fixed)
             for k in (1, 7)]
    assert costs[0].objective > 1
    assert costs[1].objective == pytest.approx(7 * costs[0].objective, rel=1e-7 if fixed else 1e-4)


@pytest.fixture(scope="module")
def live(monthly):
    return LiveCase(monthly)


def cost(live, columns, lower, upper):
    live.highs.change_bounds(columns, lower, upper)
    found = live.solve_cost().objective
    live.highs.change_bounds(columns, live.lp.lower[columns], live.lp.upper[columns])
    return found


def test_more_inflow_never_costs_more(live):
    """One more m³/s of any river in any month costs no more, at the head of a straight path."""
    base = live.solve_cost().objective
    for key in live.horizon.stage.groups["inflow"].index:  # a part of an inflow rises with the whole
        for column in live.horizon.columns_of("inflow", key):
            place, flow = np.array([column]), live.lp.lower[[column]] + 1.0
            assert cost(live, place, flow, flow) <= base + 1e-8


def test_a_greater_load_or_requirement_never_costs_less(live):
    """One GWh more of load or 1 m³/s more of requirement never saves."""
    base = live.solve_cost().objective
    for name in ("grid_load", "requirement"):
        for key in live.horizon.stage.groups[name].index:
            place = live.horizon.columns_of(name, key)
            more = live.lp.lower[place] + 1.0
            assert cost(live, place, more, more) >= base - 1e-8


@pytest.mark.parametrize(("sense", "quantities"), [(">=", range(6000, 9001, 500)), ("<=", range(8000, 4999, -500))])
@pytest.mark.parametrize("penalty", [{}, {"penalty_usd_per_m3": 0.02}])
def test_a_tighter_clause_never_costs_less(monthly, sense, quantities, penalty):
    """The more (or the less) Toktogul has to release in the growing season, the dearer; and ever more so."""
    clause = {"kind": "season_volume", "clause": "season", "reservoir": "toktogul", "sense": sense, "first_month": 4,
              "last_month": 9, "quantity_hm3": float(quantities[0]), **penalty}
    case = build_case("clause", monthly.scenario.model_copy(update={"policies": [clause]}), monthly.basin)
    live = LiveCase(case)
    place = live.horizon.columns_of("season_quantity", "season")
    place = place[place >= 0]
    costs = [cost(live, place, np.array([float(q)]), np.array([float(q)])) for q in quantities]
    steps = np.diff(costs)
    assert steps.min() >= -1e-8
    assert np.diff(steps).min() >= -1e-7
    assert costs[-1] > costs[0] + 1e-3


ONES = [("demand_requirement", "requirement_m3s"), ("inflow_flow", "flow_m3s"), ("gain_flow", "flow_m3s"),
        ("powerhouse", "efficiency"), ("reservoir", "full_storage_hm3"), ("grid_load", "load_mw"),
        ("unit_output", "available_mw"), ("exchange_step", "price_usd_per_mwh"), ("reach", "loss")]


def test_a_change_that_changes_nothing_changes_nothing(monthly):
    """Every table multiplied by one gives the same LP, number for number."""
    changes = [Change(table=table, column=column, multiply=1.0) for table, column in ONES]
    same = build_case("same", monthly.scenario.model_copy(update={"changes": changes}), monthly.basin)
    first, second = Horizon(monthly).lp(), Horizon(same).lp()
    for name in ("cost", "lower", "upper", "row_lower", "row_upper", "row_start", "column", "value"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert (first.column_names, first.row_names) == (second.column_names, second.row_names)


@pytest.mark.parametrize(("given", "expected"), [
    ({"multiply": 1.3}, lambda flow: 1.3 * flow), ({"add": 5.0}, lambda flow: flow + 5.0),
    ({"set": 40.0}, lambda flow: 40.0 + 0.0 * flow),
])
def test_a_change_does_what_it_says(monthly, given, expected):
    """What changes the requirements of fields in July changes those of July, and no others."""
    change = Change(table="demand_requirement", column="requirement_m3s", where={"use": "field", "month": 7}, **given)
    case = build_case("more", monthly.scenario.model_copy(update={"changes": [change]}), monthly.basin)
    for site, use in case.book.tables["demand"].use.items():
        before, after = (c.book.series["demand"]["requirement"][site] for c in (monthly, case))
        changed = (case.calendar.months == 7) & (use == "field")
        np.testing.assert_allclose(after, np.where(changed, expected(before), before), rtol=1e-12)


def test_shortage_falls_on_the_least_valuable_use(dry):
    """With requirements up by 30 % the lakes of Kyzylorda are short before its fields, and its towns never."""
    change = Change(table="demand_requirement", column="requirement_m3s", multiply=1.3)
    case = build_case("more", dry.scenario.model_copy(update={"changes": [change]}), dry.basin)
    result = wateropt.solve(case)
    sites, steps = case.book.tables["demand"], case.book.settings["shortage_steps"]
    here = [d for d in sites if sites.node[d] == "kyzylorda"]
    short = {(d, s): result.values.get("shortage", (d, s)) for d in here for s in range(len(steps))}
    price = {(d, s): sites.value[d] * case.book.series["demand"]["weight"][d] * steps[s].factor for d, s in short}
    room = {(d, s): steps[s].width * result.values.get("requirement", d) for d, s in short}
    by_use = {sites.use[d]: sum(short[d, s] for s in range(len(steps))) for d in here}
    assert by_use["wetland"].sum() > by_use["field"].sum() > 1
    assert by_use["town"].max() <= 1e-6
    for cheap, dear in permutations(short, 2):
        used = (short[dear] > 1e-6) & (price[cheap] < price[dear] - 1e-9)
        np.testing.assert_allclose(short[cheap][used], room[cheap][used], atol=1e-6)


def test_choosing_leaves_the_loaded_lp_as_it_was(monthly):
    """After choosing among equals, the loaded LP solves to the same cost again."""
    live = LiveCase(monthly)
    solution, _ = live.solve_head()
    live.choose(solution)
    assert live.solve_cost().objective == pytest.approx(solution.objective, rel=1e-9)


def test_a_clause_over_a_whole_season_is_not_scaled(dry):
    """A winter that lies wholly in the horizon owes its whole volume, in a common year too."""
    clause = {"kind": "season_volume", "clause": "winter", "reservoir": "toktogul", "sense": "<=", "first_month": 10,
              "last_month": 3, "quantity_hm3": 6000.0, "penalty_usd_per_m3": 0.02}
    case = build_case("winter", dry.scenario.model_copy(update={"policies": [clause]}), dry.basin)
    live = LiveCase(case)
    due = live.horizon.columns_of("season_quantity", "winter")
    assert live.lp.lower[due[due >= 0]] == pytest.approx([6000.0], rel=1e-12)
