"""Reservoir and hydro-thermal problems with published optima, in the units they were published in.

Each problem is told twice from the same numbers: as the textbook's own linear program (`program`, solved by scipy), and
as a basin of ours (`basin`, `scenario`) whose files stand in tests/published/. Where each number was published, and in
which words, is told in tests/published/README.md.

    python tests/published_problems.py    write the files of every problem again

A unit of water is 1 hm³. The periods are months of 2023, so that a volume of a period is a flow that differs from month
to month. Water worth *c* in a period is water that gives 1 GWh at a plant of its own, sold at 1 000 *c* USD/MWh.
"""

import json
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import yaml
from scipy.optimize import linprog

from small import SmallBasin
from wateropt.calendar import Calendar
from wateropt.units import GRAVITY_ENERGY, HM3_PER_M3S_DAY

FOLDER = Path(__file__).parent / "published"
YEAR = Calendar.between(date(2023, 1, 1), date(2023, 12, 31), "month")
LEVEL = 1000.0  # of every lake, nearly flat: the published problems know no head
FLAT = 1e-5  # m from the empty lake to the full one
ANY = 1e3  # a limit that never binds
ONE_GWH = 0.9 * GRAVITY_ENERGY  # GWh per hm³ and metre at the efficiency of every plant


class Problem(NamedTuple):
    """A problem and what was published of its optimum.

    Attributes:
        name: of its folder and scenario in tests/published/.
        optimum: the published figure; half a unit of its last digit is `within`.
        program: its own linear program; returns the optimum.
        basin: it as a basin of ours; scenario: what the scenario file says.
        reference: its row of references.csv.
        value: result of ours -> the published figure.
    """

    name: str
    optimum: float
    within: float
    program: Callable[[], float]
    basin: Callable[[], SmallBasin]
    scenario: dict
    reference: dict
    value: Callable[..., float]


class Lake(NamedTuple):
    """A reservoir of a problem in which releases have a benefit.

    Attributes:
        inflow: natural inflow of each period; opening, closing, full: storage; it is never negative.
        turbines: (most that flows in a period, gain per unit), steepest first.
        price: of a unit of gain in each period.
        below: the lake that it releases into, "" for none.
    """

    inflow: tuple
    opening: float
    closing: float
    full: float
    turbines: tuple
    price: tuple
    below: str


# ---- lakes in a row whose releases have a benefit ----------------------------------------------------


def program_of(lakes):
    """Maximise Σ price x gain x release; storage = storage before + inflow + releases from above - release."""
    periods = len(next(iter(lakes.values())).inflow)
    flows = [(name, k, t) for name, lake in lakes.items() for k in range(len(lake.turbines)) for t in range(periods)]
    storages = [(name, t) for name in lakes for t in range(periods)]
    place = {key: n for n, key in enumerate([*flows, *storages])}
    balance, right = np.zeros((len(storages), len(place))), np.zeros(len(storages))
    for row, (name, t) in enumerate(storages):
        balance[row, place[name, t]] = 1
        if t:
            balance[row, place[name, t - 1]] = -1
        right[row] = lakes[name].inflow[t] + (0 if t else lakes[name].opening)
        for above, k, when in flows:
            if when == t:
                balance[row, place[above, k, t]] += (above == name) - (lakes[above].below == name)
    cost = [-lakes[name].price[t] * lakes[name].turbines[k][1] for name, k, t in flows] + [0] * len(storages)
    limits = [(0, lakes[name].turbines[k][0]) for name, k, _ in flows]
    limits += [(lakes[name].closing if t == periods - 1 else 0, lakes[name].full) for name, t in storages]
    return -linprog(cost, A_eq=balance, b_eq=right, bounds=limits).fun


def basin_of(title, lakes):
    """The same as a basin: each lake has its plants, and their grid a buyer at the prices of the lake."""
    basin = start(title)
    for name, lake in lakes.items():
        outlet = lake.below or "mouth"
        basin.inflow(name, name, by_month(lake.inflow))
        add_lake(basin, name, outlet, lake.full, bypass_capacity_m3s=0, spill_capacity_m3s=0)
        basin.add("grid", grid=name, country="A", unserved_cost_usd_per_mwh=1e5)
        basin.exchange(f"{name}_buyer", "absorb", [1e3 * price for price in over_year(lake.price)], 1e4, grid=name)
        for k, (most, gain) in enumerate(lake.turbines):
            add_plant(basin, f"{name}_{k + 1}", name, outlet, gain, most, grid=name)
    return basin.sink("mouth", "mouth")


def ends_of(lakes):
    """What the scenario says of the lakes' storage at both ends."""
    return {"opening": {"storage": {name: lake.opening for name, lake in lakes.items()},
                        "release": dict.fromkeys(lakes, 0)},
            "closing": {"storage": {name: lake.closing for name, lake in lakes.items()}, "transit": "free"}}


BENEFIT_1 = (1.1, 1.0, 1.0, 1.2, 1.8, 2.5, 2.2, 2.0, 1.8, 2.2, 1.8, 1.4)
BENEFIT_2 = (1.4, 1.1, 1.0, 1.0, 1.2, 1.8, 2.5, 2.2, 2.0, 1.8, 2.2, 1.8)
BENEFIT_3 = (1.0, 1.0, 1.2, 1.8, 2.5, 2.2, 2.0, 1.8, 2.2, 1.8, 1.4, 1.1)
BENEFIT_4 = (2.6, 2.9, 3.6, 4.4, 4.2, 4.0, 3.8, 4.1, 3.6, 3.1, 2.7, 2.5)  # power, and irrigation below
BENEFIT_4_COURSE = (*BENEFIT_4[:4], 4.4, *BENEFIT_4[5:])  # 2.2 + 2.2 in the fifth period of the course's table


def four_lakes(inflow, opening, closing, most, benefit_4):
    """Two lakes above: the first releases into the fourth, the second through the third into the fourth."""
    price, below = (BENEFIT_1, BENEFIT_2, BENEFIT_3, benefit_4), ("four", "three", "four", "")
    full = (10, 10, 10, 15)
    return {name: Lake((inflow[k],) * 12, opening[k], closing[k], full[k], ((most[k], 1),), price[k], below[k])
            for k, name in enumerate(("one", "two", "three", "four"))}


LARSON = four_lakes((2, 3, 0, 0), (5, 5, 5, 5), (5, 5, 5, 7), (3, 4, 4, 7), BENEFIT_4)
COURSE = four_lakes((3, 4, 0, 0), (4, 4, 4, 5), (4, 4, 4, 5), (ANY,) * 4, BENEFIT_4_COURSE)
VALLEY = {name: Lake((0, 0, 0), 200, 0, 200, ((50, 1.1), (10, 1.0), (10, 0.5)), (1, 2, 3), below)
          for name, below in (("upper", "lower"), ("lower", ""))}


# ---- one lake, power and irrigation --------------------------------------------------------------------

TWO_USES = {"inflow": (2, 2, 3, 4, 3, 2), "power": (1.6, 1.7, 1.8, 1.9, 2.0, 2.0),
            "irrigation": (1.0, 1.2, 1.9, 2.0, 2.2, 2.2), "opening": 5, "full": 9, "turbine": 4, "left": 1}
ASKED = 20  # more water than ever reaches the fields


def two_uses_program():
    """Maximise benefits of power and irrigation; what is not diverted, at least one unit, goes on in the river."""
    months = range(6)
    power, spill, field, storage = ([6 * k + t for t in months] for k in range(4))
    balance, right = np.zeros((6, 24)), np.array(TWO_USES["inflow"], dtype=float)
    passing = np.zeros((6, 24))
    for t in months:
        balance[t, [storage[t], power[t], spill[t]]] = 1
        balance[t, storage[t - 1]] -= t > 0
        passing[t, [power[t], spill[t]]], passing[t, field[t]] = -1, 1
    right[0] += TWO_USES["opening"]
    cost = -np.concatenate([TWO_USES["power"], np.zeros(6), TWO_USES["irrigation"], np.zeros(6)])
    limits = [(0, TWO_USES["turbine"])] * 6 + [(0, None)] * 12
    limits += [(0, TWO_USES["full"])] * 5 + [(TWO_USES["opening"], TWO_USES["full"])]
    return -linprog(cost, A_ub=passing, b_ub=[-TWO_USES["left"]] * 6, A_eq=balance, b_eq=right, bounds=limits).fun


def two_uses_basin():
    """The benefit of irrigation is a shortage avoided; what must stay in the river has a price beyond all benefits."""
    basin = start("Power and irrigation from one lake").inflow("river", "lake", by_month(TWO_USES["inflow"]))
    add_lake(basin, "lake", "below", TWO_USES["full"])
    basin.add("grid", grid="grid", country="A", unserved_cost_usd_per_mwh=1e5)
    basin.exchange("buyer", "absorb", [1e3 * price for price in over_year(TWO_USES["power"])], 1e4)
    add_plant(basin, "plant", "lake", "below", 1, TWO_USES["turbine"])
    basin.demand("fields", "below", by_month([ASKED] * 12), 1.0, over_year(TWO_USES["irrigation"]))
    basin.reach("river", "below", "mouth", 0).instream("left", "below", by_month([TWO_USES["left"]] * 12), 100)
    return basin.sink("mouth", "mouth")


# ---- hydro and thermal -------------------------------------------------------------------------------------

FIRST_STEPS = {"inflow": (50, 50, 50), "load": 150, "fuel": (50, 100, 150), "storage": 200}


def first_steps_program():
    """Minimise fuel x thermal energy; hydro + thermal = load; a unit of water gives a unit of energy."""
    thermal, hydro, spill, storage = ([3 * k + t for t in range(3)] for k in range(4))
    rows, right = np.zeros((6, 12)), np.zeros(6)
    for t in range(3):
        rows[t, [thermal[t], hydro[t]]], right[t] = 1, FIRST_STEPS["load"]
        rows[3 + t, [storage[t], hydro[t], spill[t]]] = 1
        rows[3 + t, storage[t - 1]] -= t > 0
        right[3 + t] = FIRST_STEPS["inflow"][t] + (0 if t else FIRST_STEPS["storage"])
    limits = [(0, None)] * 9 + [(0, FIRST_STEPS["storage"])] * 3
    return linprog([*FIRST_STEPS["fuel"], *[0] * 9], A_eq=rows, b_eq=right, bounds=limits).fun


def first_steps_basin():
    """The thermal generator, whose fuel has another price in each period, is a supply step of an exchange curve."""
    basin = start("Hydro and thermal, three periods").inflow("river", "lake", by_month(FIRST_STEPS["inflow"]))
    add_lake(basin, "lake", "mouth", FIRST_STEPS["storage"])
    mean = [1e3 * FIRST_STEPS["load"] / (24 * float(days)) for days in YEAR.days]
    basin.grid(unserved=1e5, load=mean).exchange("thermal", "supply", over_year(FIRST_STEPS["fuel"]), 1e4)
    return add_plant(basin, "hydro", "lake", "mouth", 1, ANY).sink("mouth", "mouth")


# ---- how large a reservoir must be ----------------------------------------------------------------------------

RECORD = (5, 7, 8, 4, 3, 3, 2, 1, 3, 6, 8, 9, 3, 4, 9)
YIELD = 5
EMPTY_AFTER = 9  # the record repeats itself; of every capacity that suffices, the lake is empty here or may be
RECORD_YEARS = Calendar.between(date(2001, 1, 1), date(2002, 3, 31), "month")


def capacity_program():
    """Minimise the capacity; storage + inflow - yield - spill = storage after, the last period before the first."""
    n = len(RECORD)
    rows, below = np.zeros((n, 2 * n + 1)), np.zeros((n, 2 * n + 1))
    for t in range(n):
        rows[t, [(t + 1) % n, n + t]], rows[t, t] = 1, -1
        below[t, t], below[t, -1] = 1, -1
    right = [flow - YIELD for flow in RECORD]
    return linprog([*[0] * 2 * n, 1], A_ub=below, b_ub=np.zeros(n), A_eq=rows, b_eq=right).fun


def capacity_basin():
    """A lake without any storage yet, to which capacity may be added at a price; what is asked for is dear to miss."""
    inflow = as_flows((*RECORD[EMPTY_AFTER:], *RECORD[:EMPTY_AFTER]), RECORD_YEARS)
    asked = as_flows([YIELD] * len(RECORD), RECORD_YEARS)
    basin = start("Capacity and yield").inflow("river", "lake")
    basin.dated("inflow_flow", {"inflow": "river"}, RECORD_YEARS, flow_m3s=inflow)
    add_lake(basin, "lake", "mouth", 0).project("dam", "reservoir", "lake", 100, 1)
    basin.demand("yield", "mouth", 0, 1000)
    del basin.tables["demand_requirement"]
    basin.dated("demand_requirement", {"demand": "yield"}, RECORD_YEARS, requirement_m3s=asked)
    return basin.sink("mouth", "mouth")


# ---- files ---------------------------------------------------------------------------------------------------


def start(title):
    """A basin with one load block and one step of shortage."""
    return SmallBasin(title=title, blocks={"day": 24}, countries={"A": "Here", "B": "Below"})


def over_year(values):
    """Values of the first months, the last one standing for the months after the horizon."""
    return [*values, *[values[-1]] * (12 - len(values))]


def by_month(volumes):
    """Flows [m³/s] that bring volumes [hm³] in the months of 2023."""
    return as_flows(over_year(volumes), YEAR)


def as_flows(volumes, calendar):
    """Flows [m³/s] that bring volumes [hm³] in the periods of a calendar."""
    return [float(v / (days * HM3_PER_M3S_DAY)) for v, days in zip(volumes, calendar.days, strict=True)]


def add_lake(basin, name, outlet, full, **given):
    """A lake whose level hardly changes."""
    high = max(full, 100)
    levels = ((0, LEVEL), (high / 2, LEVEL + FLAT / 2), (high, LEVEL + FLAT))
    return basin.lake(name, outlet, levels, full_storage_hm3=full, **given)


def add_plant(basin, name, lake, outlet, gain, most, grid="grid"):
    """A plant that turns a unit of water into `gain` GWh and takes at most so many units in a month."""
    flows = by_month([most] * 12)
    basin.plant(name, lake, outlet, reservoir=lake, tailwater_m=LEVEL - gain / ONE_GWH, grid=grid,
                design_flow_m3s=max(flows), capacity_mw=1e4)
    return basin.profile("powerhouse_available", {"powerhouse": name},
                         available=[min(flow / max(flows), 1.0) for flow in flows])


def scenario(basin, calendar, periods, ends):
    """What a scenario file says."""
    last = [*calendar.starts, calendar.end][periods] - timedelta(days=1)
    return {"basin": basin, "start": calendar.starts[0], "end": last, "step": "month", **ends}


ONE_LAKE = {"opening": {"storage": {"lake": 0}, "release": {"lake": 0}}}
FREE = {"closing": {"storage": "free", "transit": "free"}}

PROBLEMS = (
    Problem("larson-1968", 401.3, 0.05, lambda: program_of(LARSON),
            lambda: basin_of("Larson's four reservoirs", LARSON),
            scenario("larson-1968", YEAR, 12, ends_of(LARSON)),
            {"key": "larson", "citation": "R. E. Larson, State Increment Dynamic Programming, Elsevier 1968",
             "licence": "facts", "url_or_place": "see tests/published/README.md"},
            lambda result: -result.objective),
    Problem("four-reservoirs-course", 612.2, 0.05, lambda: program_of(COURSE),
            lambda: basin_of("Four reservoirs without limits of release", COURSE),
            scenario("four-reservoirs-course", YEAR, 12, ends_of(COURSE)),
            {"key": "course", "citation": "Reservoir Optimization, a course exercise with its LINGO program and output "
             "(University of California, Los Angeles, 2020)", "licence": "facts",
             "url_or_place": "see tests/published/README.md"},
            lambda result: -result.objective),
    Problem("hydro-valley", 835.0, 0.001, lambda: program_of(VALLEY), lambda: basin_of("Two dams in a valley", VALLEY),
            scenario("hydro-valley", YEAR, 3, ends_of(VALLEY)),
            {"key": "sddp", "citation": "O. Dowson and SDDP.jl contributors, Hydro valleys, the deterministic case",
             "licence": "facts", "url_or_place": "github.com/odow/SDDP.jl, docs/src/examples/hydro_valley.jl"},
            lambda result: -result.objective),
    Problem("power-and-irrigation", 51.6, 0.00005, two_uses_program, two_uses_basin,
            scenario("power-and-irrigation", YEAR, 6, {
                "opening": {"storage": {"lake": 5}, "release": {"lake": 0}},
                "closing": {"storage": "opening", "transit": "free"}}),
            {"key": "cee6410", "citation": "D. E. Rosenberg, Reservoir operation problem, Utah State University; Water "
             "Resources Research 51 (2015), doi 10.1002/2013WR014667; solved in the listing of M. Fugal",
             "licence": "facts", "url_or_place": "github.com/fugalmatt/CEE-6410-Fugal, Homework 5 new.lst"},
            lambda result: ASKED * sum(TWO_USES["irrigation"]) - result.objective),
    Problem("first-steps", 5000.0, 0.5, first_steps_program, first_steps_basin,
            scenario("first-steps", YEAR, 3, {"opening": {"storage": {"lake": 200}, "release": {"lake": 0}}, **FREE}),
            {"key": "sddp", "citation": "O. Dowson and SDDP.jl contributors, Tutorial One: first steps",
             "licence": "facts", "url_or_place": "github.com/odow/SDDP.jl, docs/src/tutorial/01_first_steps.md"},
            lambda result: 1e3 * result.objective),
    Problem("capacity-and-yield", 14.0, 0.5, capacity_program, capacity_basin,
            scenario("capacity-and-yield", RECORD_YEARS, 15, {**ONE_LAKE, **FREE}),
            {"key": "mckinney", "citation": "D. C. McKinney, Introduction to GAMS, Water Resources Planning and "
             "Management", "licence": "facts", "url_or_place": "see tests/published/README.md"},
            lambda result: result.objective * 365.25 / RECORD_YEARS.days.sum()),
)


def write(problem, folder):
    """Write the basin and the scenario of a problem into a folder."""
    basin = problem.basin()
    shutil.rmtree(folder / problem.name, ignore_errors=True)
    basin.settings["name"] = problem.name
    basin.write(folder / problem.name, problem.reference)
    settings = json.loads((folder / problem.name / "basin.yaml").read_text(encoding="utf-8"))
    _dump(settings, folder / problem.name / "basin.yaml")
    told = {"title": basin.settings["title"], "meaning": f"{problem.reference['citation']}; the optimum is "
            f"{problem.optimum:g}."}
    _dump({**told, **problem.scenario}, folder / f"{problem.name}.yaml")


def _dump(content, path):
    path.write_text(yaml.safe_dump(content, sort_keys=False, width=120, allow_unicode=True), encoding="utf-8")


if __name__ == "__main__":
    for each in PROBLEMS:
        write(each, FOLDER)
