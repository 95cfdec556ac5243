"""Shipped scenarios: each moves away from the dry year in the direction that physics and prices say.

By months, which is enough for a direction; each scenario is solved once.
"""

import functools

import numpy as np
import pytest

import wateropt
from wateropt.basin import find_basin, load_basin
from wateropt.changes import Change
from wateropt.report.files import table
from wateropt.scenario import build_case, find_scenario, read_scenario, shipped_scenarios

pytestmark = pytest.mark.slow  # fifteen scenarios are solved

BY_MONTHS = [name for name in shipped_scenarios() if name.startswith("dry-2023")]
ROUNDING = 1e-3  # MUSD: each cost is known to 1e-7 of itself, and some heads to 0.01 %
WINTER, GROWING, FEBRUARY = (10, 11, 12, 1, 2, 3), (4, 5, 6, 7, 8, 9), (2,)
KYRGYZ_LINKS = {"kz_kg", "outside_kg", "uz_kg"}


@functools.cache
def basin(names):
    return load_basin([find_basin(name) for name in names])


@functools.cache
def solved(name):
    """The result of a shipped scenario by months."""
    scenario = read_scenario(find_scenario(name)).model_copy(update={"step": "month"})
    return wateropt.solve(build_case(name, scenario, basin(scenario.basins)))


@pytest.fixture(scope="module")
def dry():
    return solved("dry-2023")


@functools.cache
def rows(name, which):
    """A table of a scenario, with the month of each row."""
    found = table(solved(name), which)
    return found.assign(month=found["start"].astype(str).str[5:7].astype(int))


def in_months(name, which, column, months, **where):
    found = rows(name, which)
    chosen = found["month"].isin(months)
    for key, value in where.items():
        chosen &= found[key] == value
    return found.loc[chosen, column].sum()


def release(name, months, reservoir="toktogul"):
    """Release of a lake in some months [hm3]."""
    found = rows(name, "release_schedule")
    chosen = found["month"].isin(months) & (found["reservoir"] == reservoir)
    return (found["release_m3s"] * found["days"] * 0.0864)[chosen].sum()


def generation(name, country, months=WINTER + GROWING):
    return in_months(name, "plants", "energy_gwh", months, country=country)


def kyrgyz_energy(name, column, months=WINTER + GROWING):
    return in_months(name, "energy", column, months, grid="kg")


def field_shortage(name, country):
    """What the fields of a country miss in the year [hm3]."""
    demand = solved(name).case.book.tables["demand"]
    fields = [d for d in demand if demand.use[d] == "field" and demand.country[d] == country]
    found = rows(name, "deliveries")
    return found.loc[found["site"].isin(fields), "shortage_hm3"].sum()


def clause(name):
    return table(solved(name), "clauses").set_index("clause")


# ---- all of them ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BY_MONTHS)
def test_every_dry_scenario_has_an_optimum(name):
    """Solved to the end, at a finite cost."""
    result = solved(name)
    assert result.status == "optimal"
    assert np.isfinite(result.objective)


@pytest.mark.parametrize("name", BY_MONTHS)
def test_transfers_sum_to_zero_in_every_scenario(name):
    """Whoever pays, somebody else receives."""
    assert solved(name).account(kind="transfer") == pytest.approx(0, abs=1e-6)


# ---- agreements -------------------------------------------------------------------------------------


def test_agreement_of_1998_is_kept_or_its_shortfall_is_priced(dry):
    """6 500 hm3 in April-September with what is missed; more than in the free optimum; and it costs."""
    name = "dry-2023-agreement-1998"
    row = clause(name).loc["agreement_1998"]
    assert row["achieved"] + row["shortfall"] >= 6500 - 1e-3
    assert row["achieved"] == pytest.approx(release(name, GROWING), rel=1e-6)
    assert row["achieved"] > release("dry-2023", GROWING)
    assert solved(name).account(item="clause_missed") == pytest.approx(0.22 * row["shortfall"], abs=1e-6)
    assert solved(name).objective >= dry.objective - ROUNDING


def test_agreement_of_1998_costs_the_kyrgyz_winter():
    """What is kept for summer is not there in winter: less hydropower, more imports."""
    name = "dry-2023-agreement-1998"
    assert generation(name, "KG", WINTER) < generation("dry-2023", "KG", WINTER)
    assert kyrgyz_energy(name, "import_gwh", WINTER) > kyrgyz_energy("dry-2023", "import_gwh", WINTER)


def test_swap_of_2021_keeps_its_books(dry):
    """Debt = 300 + taken - given back; 300 GWh are given back in summer; a duty does not make the year cheaper."""
    result = solved("dry-2023-swap-2021")
    sums = {name: sum(result.values.get(name, ("swap_2021", b)) for b in result.case.book.blocks)
            for name in ("swap_taken", "swap_repaid")}
    debt = result.values.with_opening("swap_debt", "swap_2021")
    assert debt[0] == 300
    assert np.diff(debt) == pytest.approx(sums["swap_taken"] - sums["swap_repaid"], abs=1e-6)
    summer = np.isin(result.case.calendar.months, (6, 7, 8))
    assert sums["swap_repaid"][summer].sum() >= 300 - 1e-6
    assert sums["swap_repaid"][~summer].sum() == pytest.approx(0, abs=1e-6)
    assert sums["swap_taken"].sum() <= 2 * 900  # October-November, and March-September
    assert clause("dry-2023-swap-2021").loc["swap_2021", "shortfall"] == 0
    assert result.objective >= dry.objective - ROUNDING


# ---- power ------------------------------------------------------------------------------------------


def test_without_exchange_winter_is_dear_and_dark(dry):
    """Nothing crosses the border and winter load is not served. Summer has to live on Toktogul as well, so it gives
    more then: what the whole year lacks shows in winter, when the load is high.
    """
    name = "dry-2023-no-exchange"
    sent = rows(name, "links")
    assert sent.loc[sent["link"].isin(KYRGYZ_LINKS), "sent_gwh"].sum() == pytest.approx(0, abs=1e-6)
    assert solved(name).objective > dry.objective + 100
    assert kyrgyz_energy(name, "unserved_gwh", WINTER) > kyrgyz_energy("dry-2023", "unserved_gwh", WINTER) + 100
    assert kyrgyz_energy(name, "hydro_gwh", GROWING) > kyrgyz_energy("dry-2023", "hydro_gwh", GROWING)
    assert release(name, GROWING) > release("dry-2023", GROWING)


def test_outage_of_the_bishkek_plant_is_filled_by_imports_and_toktogul(dry):
    """Its February output is replaced to the last GWh, and costs more than its coal."""
    name = "dry-2023-chp-outage"
    assert solved(name).objective > dry.objective
    assert sum(solved(name).values.get("output", ("bishkek_chp", b))[4]
               for b in solved(name).case.book.blocks) == pytest.approx(0, abs=1e-6)
    columns = ("hydro_gwh", "other_hydro_gwh", "thermal_gwh", "import_gwh", "unserved_gwh")
    more = {c: kyrgyz_energy(name, c, FEBRUARY) - kyrgyz_energy("dry-2023", c, FEBRUARY) for c in columns}
    less = kyrgyz_energy("dry-2023", "export_gwh", FEBRUARY) - kyrgyz_energy(name, "export_gwh", FEBRUARY)
    assert more["thermal_gwh"] < -250
    assert sum(more.values()) + less == pytest.approx(0, abs=1e-6)
    assert more["import_gwh"] > 0 or release(name, FEBRUARY) > release("dry-2023", FEBRUARY)


# ---- what is built ----------------------------------------------------------------------------------


def test_kambarata_1_gives_energy_and_saves_cost(dry):
    """More Kyrgyz generation, in winter as well, at a lower joint cost; nobody's fields lose."""
    name = "dry-2023-kambarata-1"
    assert solved(name).objective < dry.objective
    assert generation(name, "KG") > generation("dry-2023", "KG") + 4000
    assert generation(name, "KG", WINTER) > generation("dry-2023", "KG", WINTER)
    assert field_shortage(name, "KZ") <= field_shortage("dry-2023", "KZ") + 1e-3
    assert 4800 < in_months(name, "plants", "energy_gwh", WINTER + GROWING, plant="kambarata_1") < 6000


def test_owners_of_kambarata_1_get_their_shares():
    """34, 33 and 33 %; what Kazakhstan and Uzbekistan export and sell back is a third of the plant in every month."""
    owners = rows("dry-2023-kambarata-1", "joint_plant")
    assert {o: set(part.round(9)) for o, part in owners.groupby("owner")["share"]} == {
        "KG": {0.34}, "KZ": {0.33}, "UZ": {0.33}}
    others = owners[owners["owner"] != "KG"]
    assert np.allclose(others["exported_gwh"] + others["sold_back_gwh"], others["share"] * others["energy_gwh"],
                       atol=1e-5)
    assert (owners.groupby("owner")["energy_gwh"].sum().round(6).nunique()) == 1
    assert solved("dry-2023-kambarata-1").account(item="owner_export") == pytest.approx(0, abs=1e-6)
    assert solved("dry-2023-kambarata-1").account(item="owner_sold_back") == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("name", "without"), [("dry-2023-projects", "dry-2023"),
                                               ("dry-2023-regulation-pools", "dry-2023-chu-talas")])
def test_what_is_built_stays_within_its_limit_and_pays(name, without):
    """Between nothing and the most, the same in every month, and never at a loss."""
    result = solved(name)
    projects = result.case.book.tables["project"]
    for p in projects:
        built = result.values.get("built", p)
        assert built == pytest.approx(built[0], abs=1e-6)
        assert -1e-6 <= built[0] <= projects.maximum[p] + 1e-6
    cost = sum(projects.annual_cost[p] * result.values.get("built", p)[0] for p in projects)
    assert result.account(item="investment") == pytest.approx(cost * 365 / 365.25, abs=1e-6)
    assert result.objective <= solved(without).objective + ROUNDING


def test_pools_do_not_make_kyrgyz_fields_drier():
    """Where pools may be built the fields of the Chu and Talas miss no more than without."""
    pools, without = (field_shortage(name, "KG") for name in ("dry-2023-regulation-pools", "dry-2023-chu-talas"))
    assert pools <= without + 1e-3


# ---- Chu and Talas, and all rivers ------------------------------------------------------------------


def test_less_inflow_costs_more_on_the_chu_and_talas():
    """Low, middle and high are in order, in cost and in what the fields miss."""
    names = ("dry-2023-chu-talas-low", "dry-2023-chu-talas", "dry-2023-chu-talas-high")
    costs = [solved(name).objective for name in names]
    assert costs == sorted(costs, reverse=True)
    missed = [field_shortage(name, "KG") + field_shortage(name, "KZ") for name in names]
    assert missed == sorted(missed, reverse=True)


@pytest.mark.parametrize("name", ["dry-2023-chu-talas-low", "dry-2023-chu-talas", "dry-2023-chu-talas-high",
                                  "dry-2023-joined"])
def test_shares_of_the_chu_and_talas_are_kept(name):
    """42 % of the Chu, half of the Talas, 88 % of what leaves Kirov, or the shortfall stands in the table."""
    shares = clause(name)
    assert set(shares.index) == {"chu_1983_kz", "kirov_kz", "talas_1983_kz"}
    assert (shares["achieved"] + shares["shortfall"] >= shares["required"] - 1e-3).all()


def test_joining_the_rivers_costs_no_more_than_its_parts(dry):
    """Their plants then replace imports instead of being sold at a fixed price; no plant stands twice."""
    joined, part = solved("dry-2023-joined"), solved("dry-2023-chu-talas")
    assert joined.objective <= dry.objective + part.objective + ROUNDING
    plants = [set(result.case.book.tables["powerhouse"].ids) for result in (joined, dry, part)]
    assert plants[0] == plants[1] | plants[2]
    assert not plants[1] & plants[2]
    assert kyrgyz_energy("dry-2023-joined", "import_gwh") < kyrgyz_energy("dry-2023", "import_gwh")


def test_filling_kambarata_takes_water_from_the_year(dry):
    """While the lake fills, no turbine runs before July, and the year is dearer than without the dam."""
    filling = solved("dry-2023-kambarata-1-filling")
    turbine = filling.values.get("turbine", "kambarata_1")
    assert turbine[filling.case.calendar.months <= 6].max() == pytest.approx(0, abs=1e-9)
    assert turbine[np.isin(filling.case.calendar.months, (7, 8, 9))].max() > 0
    storage = filling.values.with_opening("storage", "kambarata_1")
    assert storage[0] == 0
    assert storage[-1] >= 2530 - 1e-6
    assert filling.objective > dry.objective + ROUNDING


def test_a_schedule_between_two_nearly_equal_optima_settles():
    """With 11 % more inflow the head of the chosen schedule jumps to and fro until its step shrinks."""
    scenario = read_scenario(find_scenario("dry-2023-joined"))
    wetter = Change(table="inflow_flow", column="flow", multiply=1.11)
    case = build_case("wetter", scenario.model_copy(update={"changes": [*scenario.changes, wetter]}),
                      basin(scenario.basins))
    assert wateropt.solve(case).status == "optimal"
