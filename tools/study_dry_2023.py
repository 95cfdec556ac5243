"""Study of the dry year 2023: every number and chart of docs/dry-2023.md.

Run it from the root of the repository (about five minutes): python tools/study_dry_2023.py
It solves the shipped scenario, the same with history held, and some 300 variants; writes the tables between the
markers of docs/dry-2023.md, and the charts beside it. The same input gives the same bytes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

import wateropt
from wateropt.basin import load_basin
from wateropt.changes import Change
from wateropt.hold import held
from wateropt.result import Result
from wateropt.scenario import Case, build_case, find_basins, find_scenario, read_scenario
from wateropt.units import HM3_PER_M3S_DAY

SCENARIO = "dry-2023"
PAGE = Path("docs/dry-2023.md")
POWER = Path("data/sources/kyrgyz_power_monthly.csv")
MONTHS = ("Oct", "Nov", "Dec", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep")
ORDER = (10, 11, 12, 1, 2, 3, 4, 5, 6, 7, 8, 9)
CASCADE = ("toktogul", "kurpsai", "tash_kumyr", "shamaldy_sai", "uch_kurgan", "naryn_below")
DAMS = ("toktogul", "andijan", "kairakkum", "charvak", "shardara")  # with turbines
NEIGHBOURS = ["kz", "uz", "tj"]  # grids whose load is what their plants in the basin gave in history
TWO_YEARS = date(2024, 9, 30)
PRICED = 1e-7  # MUSD per unit: a limit with a smaller dual is met by chance
OBSERVED, OPTIMAL, GREY = "#0072B2", "#D55E00", "#7F7F7F"  # colours that colour-blind readers tell apart
Adjust = Callable[[Case], None]


# ---- solving --------------------------------------------------------------------------------------------------------


@cache
def _inputs() -> tuple[Any, Any]:
    path = find_scenario(SCENARIO)
    scenario = read_scenario(path)
    return scenario, load_basin(find_basins(scenario, path))


def make_case(changes: Sequence[Change] = (), adjust: Sequence[Adjust] = (), **fields: Any) -> Case:
    """Return the scenario's case with changes, other fields of the scenario, and adjustments of its series."""
    scenario, basin = _inputs()
    update = {"changes": [*scenario.changes, *changes], **fields}
    case = build_case(SCENARIO, scenario.model_copy(update=update), basin)
    for one in adjust:
        one(case)
    return case


def change(table: str, column: str, *, multiply: float | None = None, to: float | None = None, **where: Any) -> Change:
    """Return a change of a table; `to` sets a value."""
    return Change(table=table, column=column, where=where, multiply=multiply, set=to)


def claims(factor: float, country: str = "UZ") -> Adjust:
    """Return an adjustment that multiplies the negative gains of a country, and leaves its positive ones."""

    def adjust(case: Case) -> None:
        flow = case.book.series["gain"]["flow"]
        for key in flow:
            if case.book.tables["gain"].country[key] == country:
                flow[key] = np.where(flow[key] < 0, factor * flow[key], flow[key])

    return adjust


class Facts:
    """What the page says of one result; volumes in hm³, energy in GWh, by period unless a name says otherwise."""

    def __init__(self, result: Result) -> None:
        self.result, self.case, self.values = result, result.case, result.values
        self.kappa = self.case.calendar.days * HM3_PER_M3S_DAY
        self.months = self.case.calendar.months
        self.growing = np.array([s == "growing" for s in self.case.calendar.seasons])
        self.cost = result.objective

    def volume(self, name: str, key: Any) -> np.ndarray:
        """Return κ times a flow."""
        return self.kappa * self.values.get(name, key)

    def shortage(self, *uses: str) -> np.ndarray:
        """Return the shortage of sites of some uses (all if none is named)."""
        table = self.case.book.tables["demand"]
        sites = [d for d in table if not uses or table.use[d] in uses]
        return sum((self.shortage_of(d) for d in sites), np.zeros(len(self.kappa)))

    def shortage_of(self, site: str) -> np.ndarray:
        """Return the shortage of a site."""
        steps = range(len(self.case.book.settings["shortage_steps"]))
        return sum((self.volume("shortage", (site, s)) for s in steps), np.zeros(len(self.kappa)))

    def energy(self, *terms: str, grid: str = "kg") -> np.ndarray:
        """Return terms of a grid's balance."""
        lines = [line for line in self.result.ledger("grid", *terms) if line.place[0] == grid]
        return sum((line.values for line in lines), np.zeros(len(self.kappa)))

    @property
    def imports(self) -> np.ndarray:
        """Return net imports of Kyrgyzstan, as they arrive."""
        return self.energy("import", "export")

    def from_partner(self, link: str) -> np.ndarray:
        """Return what a link brings to Kyrgyzstan (as it arrives) less what it takes."""
        loss = self.case.book.tables["link"].loss[link]
        brought = sum(self.values.get("sent_forward", (link, b)) for b in self.case.book.blocks)
        return (1 - loss) * brought - sum(self.values.get("sent_back", (link, b)) for b in self.case.book.blocks)

    def price(self) -> np.ndarray:
        """Return the Kyrgyz price, weighted by the hours of the blocks [USD/MWh]."""
        blocks = self.case.book.blocks
        return sum(self.result.price("kg", b) * h for b, h in blocks.items()) / 24

    def sum(self, amount: np.ndarray, season: str) -> float:
        """Return a sum over `growing`, `winter` or the `year`."""
        inside = {"growing": self.growing, "winter": ~self.growing, "year": np.ones(len(amount), bool)}[season]
        return float(amount[inside].sum())

    def by_month(self, amount: np.ndarray, how: str = "sum") -> np.ndarray:
        """Return sums, day-weighted means or last values of the months October to September."""
        days = self.case.calendar.days
        pick = {"sum": lambda m: amount[m].sum(), "mean": lambda m: np.average(amount[m], weights=days[m]),
                "last": lambda m: amount[m][-1]}[how]
        return np.array([pick(self.months == month) for month in ORDER])

    @property
    def release(self) -> np.ndarray:
        """Return the release of Toktogul."""
        return self.volume("release", "toktogul")

    @property
    def january(self) -> float:
        """Return Toktogul's release in January."""
        return float(self.release[self.months == 1].sum())


def facts(changes: Sequence[Change] = (), adjust: Sequence[Adjust] = (), hold: Any = None, **fields: Any) -> Facts:
    """Solve a variant."""
    case = make_case(changes, adjust, **fields)
    return Facts(wateropt.solve(case, hold=hold))


NOT_COUNTED = change("grid_load", "load_mw", multiply=0.0, grid=NEIGHBOURS)
SHARDARA_AT_1000 = change("reservoir", "minimum_storage_hm3", to=1000.0, reservoir="shardara")


# ---- writing --------------------------------------------------------------------------------------------------------


def number(value: float, digits: int = 0) -> str:
    """Return a number for a table; zero has no sign."""
    text = f"{value:,.{digits}f}".replace(",", " ")
    return text.removeprefix("-") if not text.strip("-0. ") else text.replace("-", "−")


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+.2f}".replace("-", "−")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Return a markdown table whose first columns are words and whose others are numbers."""
    rule = ["---" if k < words else "---:" for k in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def write_page(fragments: dict[str, str]) -> None:
    """Put each fragment between its markers."""
    text = PAGE.read_text(encoding="utf-8")
    for name, content in fragments.items():
        begin, end = f"<!-- {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise SystemExit(f"{PAGE}: no markers `{begin}` and `{end}`; add them")
        text = re.sub(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _, c=content, b=begin, e=end: f"{b}\n{c}\n{e}",
                      text, flags=re.DOTALL)
    PAGE.write_text(text, encoding="utf-8")


# ---- 1. what binds, and what water is worth -------------------------------------------------------------------------


def _at_limit(run: Facts, name: str, key: Any, limit: str) -> np.ndarray:
    """Tell in which periods a column lies at its lower or upper limit and has a price there."""
    price = run.values.reduced_cost(name, key)
    return price > PRICED if limit == "lower" else price < -PRICED


def _full(run: Facts, row: str, keys: Sequence[Any]) -> np.ndarray:
    """Tell in which periods rows bind, in any block of the day, for any of the keys."""
    duals = [np.abs(run.values.dual(row, (k, b))) > PRICED for k in keys for b in run.case.book.blocks]
    return np.any(duals, axis=0)


def _power_bindings(run: Facts) -> dict[str, np.ndarray]:
    steps, limit = run.case.book.tables["exchange"], run.case.book.series["exchange"]["limit"]
    width = {x: limit[x] > 0 for x in steps}
    found = {}
    for country, name in (("KZ", "Kazakhstan"), ("UZ", "Uzbekistan"), ("XX", "Turkmenistan and Russia")):
        contracts = [x for x in steps if x.endswith("_supply_1") and steps.country[x] == country]
        full = [_full(run, "exchange_width", [x]) & width[x] for x in contracts]
        found[f"contract with {name} in full"] = np.any(full, axis=0)
    found["heat and power plant at its most"] = _full(run, "output_available", ["bishkek_chp"])
    found["heat and power plant at its least"] = _full(run, "output_must_run", ["bishkek_chp"])
    return found


def _bindings(run: Facts) -> dict[str, np.ndarray]:
    blocks, last = run.case.book.blocks, np.arange(len(run.kappa)) == len(run.kappa) - 1
    storage = {r: (_at_limit(run, "storage", r, "lower"), _at_limit(run, "storage", r, "upper"))
               for r in run.case.book.tables["reservoir"]}
    found = {
        "Toktogul at design flow": _at_limit(run, "turbine", "toktogul", "upper"),
        "Toktogul at minimum release": _at_limit(run, "release", "toktogul", "lower"),
        "Toktogul at 1 200 MW": np.any([_at_limit(run, "energy", ("toktogul", b), "upper") for b in blocks], axis=0),
        "Toktogul at minimum storage": storage["toktogul"][0] & ~last,
        "Toktogul full": storage["toktogul"][1],
        "closing storage of Toktogul": storage["toktogul"][0] & last,
        "minimum flow below Uch-Kurgan": run.values.dual("instream_met", "naryn_uch_kurgan") > PRICED,
        "minimum flow below Gazalkent": run.values.dual("instream_met", "gazalkent") > PRICED,
        "minimum flow below Koksaray": run.values.dual("instream_met", "koksaray") > PRICED,
        "minimum flow at Kokbulak": run.values.dual("instream_met", "kokbulak") > PRICED,
        "claims short": np.any([run.volume("claim_unmet", g) > 1e-6 for g in run.case.book.tables["gain"]], axis=0),
        "Kairakkum full": storage["kairakkum"][1], "Shardara full": storage["shardara"][1],
        "Andijan full": storage["andijan"][1], "Charvak full": storage["charvak"][1],
        "Andijan at its lowest": storage["andijan"][0] & ~last, "Charvak at its lowest": storage["charvak"][0] & ~last,
        "Andijan at minimum release": _at_limit(run, "release", "andijan", "lower"),
        "Charvak at minimum release": _at_limit(run, "release", "charvak", "lower"),
        "Shardara at its lowest": storage["shardara"][0] & ~last,
        "Shardara at minimum release": _at_limit(run, "release", "shardara", "lower"),
        "ice below Koksaray": _at_limit(run, "entered", "koksaray_arys", "upper"),
        "ice below the Arys": _at_limit(run, "entered", "arys_kyzylorda", "upper"),
        "Koksaray intake": _at_limit(run, "canal_flow", "koksaray_intake", "upper"),
        **_power_bindings(run),
    }
    return {name: mask for name, mask in found.items() if np.any(mask)}


def binding_table(run: Facts) -> str:
    """Return which limits bind, by month."""
    found = _bindings(run)
    rows = []
    for name in sorted(found, key=lambda n: int(np.flatnonzero(found[n])[0])):
        count = run.by_month(found[name].astype(float))
        rows.append([name, *(number(c) if c else "·" for c in count)])
    return table(["limit that binds (number of dekads)", *MONTHS], rows)


def _power_source(run: Facts, month: int) -> str:
    """Return the dearest price at which neighbours give energy in a month, and how far its steps are used."""
    steps, series = run.case.book.tables["exchange"], run.case.book.series["exchange"]
    inside, hours = run.months == month, run.case.calendar.days * 24
    used: dict[float, float] = {}
    width: dict[float, float] = {}
    for x in (x for x in steps if steps.direction[x] == "supply"):
        price = float(series["price"][x][inside].mean())
        energy = sum(run.values.get("exchanged", (x, b)) for b in run.case.book.blocks)[inside].sum()
        used[price] = used.get(price, 0.0) + energy
        width[price] = width.get(price, 0.0) + (series["limit"][x] * hours * 1e-3)[inside].sum()
    paid = [price for price, energy in used.items() if energy > 1e-3]
    if not paid:
        return "none"
    return f"{max(paid):.0f} USD/MWh, {used[max(paid)] / width[max(paid)]:.0%} used"


def month_table(run: Facts, history: Facts) -> str:
    """Return Toktogul by month: water, value, energy, and the dearest purchase in use."""
    month = run.by_month
    columns = [
        month(run.volume("inflow", "naryn")), month(run.release), month(history.release),
        month(run.values.get("storage", "toktogul"), "last"), month(history.values.get("storage", "toktogul"), "last"),
    ]
    prices = month(run.price(), "mean")
    values = month(1e3 * run.result.water_value("toktogul"), "mean")
    imports, before = month(run.imports), history.by_month(history.imports)
    rows = [[MONTHS[k], *(number(c[k]) for c in columns), number(imports[k]), number(before[k]), number(prices[k], 1),
             number(values[k], 1), _power_source(run, ORDER[k])] for k in range(12)]
    header = ["", "inflow hm³", "release hm³", "observed", "storage hm³", "observed", "net import GWh", "in history",
              "price USD/MWh", "water value USD/1000 m³", "dearest purchase in use"]
    return table(header, rows)


def value_table(run: Facts) -> str:
    """Return how the water value at Toktogul is made up on the way down."""
    value = {n: run.by_month(1e3 * run.result.water_value(n), "mean")
             for n in (*CASCADE, "kairakkum", "shardara", "koksaray_head", "kyzylorda")}
    steps = [value[a] - value[b] for a, b in pairwise(CASCADE)]
    rows = [[MONTHS[k], number(value["toktogul"][k], 1), *(number(s[k], 1) for s in steps),
             *(number(value[n][k], 1) for n in ("naryn_below", "kairakkum", "shardara", "koksaray_head", "kyzylorda"))]
            for k in range(12)]
    header = ["", "Toktogul", "= Toktogul plant", "+ Kurpsai", "+ Tash-Kumyr", "+ Shamaldy-Sai", "+ Uch-Kurgan",
              "+ all below", "Kairakkum", "Shardara", "Koksaray weir", "Kyzylorda"]
    return table(header, rows)


# ---- 2. winter against summer ---------------------------------------------------------------------------------------


def season_table(run: Facts, history: Facts) -> str:
    """Return sums by season of optimum and history."""
    rows = []
    what = [("release of Toktogul, hm³", lambda f: f.release), ("net imports of Kyrgyzstan, GWh", lambda f: f.imports),
            ("generation of Kyrgyzstan, GWh", lambda f: f.energy("hydro", "other_hydro", "thermal")),
            ("hydropower of Uzbekistan, GWh", lambda f: f.energy("hydro", grid="uz")),
            ("hydropower of Tajikistan (Kairakkum), GWh", lambda f: f.energy("hydro", grid="tj")),
            ("hydropower of Kazakhstan (Shardara), GWh", lambda f: f.energy("hydro", grid="kz")),
            ("shortage of fields, hm³", lambda f: f.shortage("field")),
            ("shortage of lakes, hm³", lambda f: f.shortage("wetland")),
            ("to the North Aral, hm³", lambda f: f.volume("sea_inflow", "aral")),
            ("of which owed (the target), hm³", lambda f: f.volume("sea_target", "aral")),
            ("to the Arnasay depression, hm³", lambda f: f.volume("sea_inflow", "arnasay"))]
    for name, amount in what:
        rows.append([name, *(number(f.sum(amount(f), s)) for s in ("winter", "growing") for f in (history, run))])
    for r in run.case.book.tables["reservoir"]:
        march = int((~run.growing).sum()) - 1
        ends = [number(f.values.get("storage", r)[k]) for k in (march, -1) for f in (history, run)]
        rows.append([f"storage of {r.capitalize()} at the end, hm³", *ends])
    return table(["", "Oct–Mar: history", "optimum", "Apr–Sep: history", "optimum"], rows)


def cost_table(run: Facts, history: Facts) -> str:
    """Return costs by account."""
    places = sorted({line.place for f in (run, history) for line in f.result.ledger("account")})
    rows = []
    for place in places:
        a, b = (f.result.account(*place) for f in (history, run))
        if abs(a) + abs(b) > 5e-3:
            rows.append([place[0], place[1].replace("_", " "), place[2], number(a, 1), number(b, 1), number(b - a, 1)])
    for country in sorted({p[0] for p in places} - {"none"}):
        a, b = (f.result.account(country) for f in (history, run))
        rows.append([f"**{country}**", "all", "", number(a, 1), number(b, 1), number(b - a, 1)])
    rows.append(["**all**", "", "", number(history.cost, 1), number(run.cost, 1), number(run.cost - history.cost, 1)])
    return table(["country", "account", "kind", "history", "optimum", "difference"], rows, words=3)


def freeing_table(run: Facts, hold: dict[tuple[str, str], Any]) -> str:
    """Return the cost as one part of history after the other is set free."""
    releases = {k: v for k, v in hold.items() if k[0] == "release"}

    def without(*free: str) -> dict[tuple[str, str], Any]:
        return {k: v for k, v in releases.items() if k[1] not in free}

    stages = [("everything as observed", hold), ("canals free", releases), ("and Koksaray", without("koksaray")),
              ("and Shardara", without("koksaray", "shardara")),
              ("and Kairakkum", without("koksaray", "shardara", "kairakkum")),
              ("and Andijan and Charvak", without("koksaray", "shardara", "kairakkum", "andijan", "charvak")),
              ("and Toktogul: the optimum", None),
              ("only Toktogul and canals free", without("toktogul"))]
    rows, before = [], None
    for name, part in stages:
        case = facts(hold=part) if part is not None else run
        saved = "" if before is None or name.startswith("only") else number(before - case.cost, 1)
        before = case.cost
        rows.append([name, number(case.cost, 1), saved, number(case.sum(case.release, "growing")),
                     number(case.sum(case.shortage("field"), "year")),
                     number(case.sum(case.shortage("wetland"), "year"))])
    return table(["free to move", "cost MUSD", "saved by this step", "Toktogul Apr–Sep hm³", "fields short hm³",
                  "lakes short hm³"], rows)


def water_source_table(run: Facts, history: Facts) -> str:
    """Return where the water comes from that the optimum delivers more than history."""
    kinds = {"delivery": "deliveries", "sea_inflow": "North Aral", "evaporation": "evaporation, seepage of the lakes"}
    change_of = dict.fromkeys(("deliveries", "North Aral", "Arnasay", "evaporation, seepage of the lakes"), 0.0)
    for f, sign in ((run, 1), (history, -1)):
        for line in f.result.ledger("node", *kinds):
            name = "Arnasay" if line.item == "arnasay" else kinds[line.term]
            change_of[name] -= sign * float(line.values.sum())
    change_of["losses of canals and reaches, water in transit"] = -sum(change_of.values())
    rows = [[name, number(value)] for name, value in change_of.items()]
    return table(["use of water", "optimum less history, hm³"], rows)


def canal_table(history: Facts) -> str:
    """Return how history's shortage falls on the sites by month, beside the storage of Shardara."""
    sites = [d for d in history.case.book.tables["demand"] if history.shortage_of(d).sum() > 1]
    each = {d: history.by_month(history.shortage_of(d)) for d in sites}
    need = {d: history.by_month(history.volume("requirement", d)) for d in sites}
    lake = history.by_month(history.values.get("storage", "shardara"), "last")
    rows = [[MONTHS[k], number(lake[k]), *(f"{number(each[d][k])} of {number(need[d][k])}" for d in sites)]
            for k in range(12)]
    rows.append(["year", "", *(f"{number(each[d].sum())} of {number(need[d].sum())}" for d in sites)])
    lines = [line for line in history.result.ledger("account") if line.place[1:] == ("shortage", "money")]
    cost = {d: sum(float(line.values.sum()) for line in lines if line.item[0] == d) for d in sites}
    rows.append(["cost, MUSD", "", *(number(cost[d], 1) for d in sites)])
    return table(["", "Shardara, end of month", *(d.replace("_", " ") for d in sites)], rows)


# ---- 3. unpublished numbers -----------------------------------------------------------------------------------------


class Variant(NamedTuple):
    """An unpublished number at the two ends of its range; an end is changes, adjustments and scenario fields."""

    name: str
    ends: tuple[tuple[str, Any], tuple[str, Any]]


def _both(name: str, low: float, high: float, make: Callable[[float], list[Change]], unit: str = "") -> Variant:
    sign = "" if unit else "×"
    return Variant(name, ((f"{sign}{low:g} {unit}".strip(), make(low)), (f"{sign}{high:g} {unit}".strip(), make(high))))


def _least() -> dict[str, float]:
    """Return the least closing storages as shipped."""
    return {r: float(v) for r, v in make_case().book.closing["storage"].items()}


def _koksaray_ends() -> Variant:
    least = _least()

    def fields(volume: float) -> dict[str, Any]:
        return {"opening": {"storage": {"koksaray": volume}},
                "closing": {"storage": {**least, "koksaray": volume}, "transit": "observed"}}

    return Variant("Koksaray, opening and closing storage", (("0 hm³", fields(0.0)), ("900 hm³", fields(900.0))))


def _one(table_name: str, column: str, low: float, high: float, name: str, measure: str = "", **where: Any) -> Variant:
    """Return a variant that sets a column where its measure is given, and multiplies it where it is not."""

    def make(value: float) -> list[Change]:
        return [change(table_name, column, **({"to": value} if measure else {"multiply": value}), **where)]

    return _both(name, low, high, make, measure)


def _steps(number_of: int) -> list[str]:
    return [x for x in make_case().book.tables["exchange"] if x.endswith(f"_supply_{number_of}")]


def _water_variants() -> list[Variant]:
    need = ("demand_requirement", "requirement")
    sites = make_case().book.tables["demand"]
    fields, dostyk, kyzylkum = ([d for d in sites if sites.use[d] == "field" and d.startswith(start)]
                                for start in ("", "dostyk_", "kyzylkum_"))
    return [
        _one(*need, 0.8, 1.2, "requirements, all"),
        _one(*need, 0.8, 1.2, "requirements, fields", demand=fields),
        _one(*need, 0.5, 1.1, "requirements, lakes", demand="kyzylorda_lakes"),
        _one(*need, 0.7, 1.1, "requirements, Dostyk", demand=dostyk),
        _one(*need, 0.8, 1.1, "requirements, Kyzylkum", demand=kyzylkum),
        _one("demand", "value", 0.5, 3, "value of irrigation water", use="field"),
        _koksaray_ends(),
        _one("canal", "capacity_m3s", 200, 500, "Koksaray, intake", "m³/s", canal="koksaray_intake"),
        Variant("claims of Uzbekistan (negative gains)", (("×0.8", claims(0.8)), ("×1.2", claims(1.2)))),
        _one("gain_flow", "flow", 0.5, 1.5, "gain at Kairakkum", gain="kairakkum_closure"),
        _one("gain_flow", "flow", 0.6, 1.4, "gain at Shardara", gain="shardara_closure"),
        _one("gain_flow", "flow", 0.9, 1.1, "gain of the middle Syr Darya", gain="middle_syrdarya"),
        _one("gain_flow", "flow", 0.9, 1.1, "gain Fergana–Kal", gain="fergana_kal"),
        _one("gain_flow", "flow", 0.8, 1.1, "gain of the lower Chirchik", gain="lower_chirchik"),
        _one("gain_flow", "flow", 0.9, 1.1, "gain of the lower Karadarya", gain="lower_karadarya"),
        _one("inflow_flow", "flow", 0.93, 1.07, "inflow of Charvak", inflow="charvak"),
        _one("inflow", "share", 0.85, 0.93, "part of the Naryn that passes Kambarata-2", " ", inflow="naryn_upper"),
        _one("gain", "unmet_cost", 0.24, 0.75, "price of an unmet claim", "USD/m³"),
        _one("reservoir", "minimum_release_m3s", 92, 146, "minimum release, Toktogul", "m³/s", reservoir="toktogul"),
        _one("reservoir", "minimum_release_m3s", 92, 146, "minimum release, Kairakkum", "m³/s", reservoir="kairakkum"),
        _one("reservoir", "minimum_release_m3s", 48, 61, "minimum release, Shardara", "m³/s", reservoir="shardara"),
        _one("reservoir", "minimum_storage_hm3", 226, 1000, "lowest storage, Shardara", "hm³", reservoir="shardara"),
        _one("reservoir", "minimum_storage_hm3", 824, 1480, "lowest storage, Kairakkum", "hm³", reservoir="kairakkum"),
        _one("instream_target", "target_m3s", 100, 180, "minimum flow below Uch-Kurgan", "m³/s",
             instream="naryn_uch_kurgan"),
        _one("instream_target", "target_m3s", 30, 100, "minimum flow below Koksaray", "m³/s", instream="koksaray"),
        _one("reach", "ice_capacity_m3s", 400, 700, "flow under ice below Koksaray", "m³/s",
             reach=["koksaray_arys", "arys_kyzylorda"]),
        _one("sea_target", "target", 0.7, 1.5, "what the North Aral is owed", sea="aral"),
        _one("reservoir_evaporation", "evaporation", 0.75, 1.25, "evaporation of all lakes"),
        _one("reach", "travel_days", 0.7, 1.3, "travel times in open water"),
    ]


def _power_variants() -> list[Variant]:
    limit, price = ("exchange_step", "limit_mw"), ("exchange_step", "price_usd_per_mwh")
    chp = ("unit_output", ("available_mw", "must_run_mw"))
    return [
        _one(*limit, 0.5, 1.5, "what Kazakhstan can sell", country="KZ", direction="supply"),
        _one(*limit, 0.5, 1.5, "what Uzbekistan can sell", country="UZ", direction="supply"),
        _one(*limit, 0.5, 1.5, "what Turkmenistan and Russia can sell", country="XX", direction="supply"),
        _one(*limit, 0.5, 1.5, "what all neighbours can sell", direction="supply"),
        _one(*limit, 0.7, 1.3, "contracted volumes", exchange=_steps(1)),
        _one(*price, 28, 35, "price of contracts", "USD/MWh", exchange=_steps(1)),
        _one(*price, 0.8, 1.2, "price beyond contracts", exchange=_steps(2)),
        _one(*price, 70, 200, "scarcity price", "USD/MWh", exchange=_steps(3)),
        _one(*limit, 0.6, 1.4, "what neighbours take in summer", direction="absorb"),
        _one("grid", "unserved_cost", 150, 500, "cost of unserved energy", "USD/MWh"),
        _one("grid_load", "load_mw", 0.94, 1.06, "load of Kyrgyzstan", grid="kg"),
        _one("grid_load", "load_mw", 0.9, 1.1, "neighbours' load on their own plants", grid=NEIGHBOURS),
        _one("grid_load", "load_mw", 0.9, 1.1, "load of Uzbekistan on its own plants", grid="uz"),
        _both("output of the heat and power plant", 0.9, 1.1,
              lambda v: [change(chp[0], c, multiply=v, unit="bishkek_chp") for c in chp[1]]),
        _one("unit", "cost_usd_per_mwh", 20, 50, "fuel of the heat and power plant", "USD/MWh", unit="bishkek_chp"),
        _one("powerhouse", "efficiency", 0.81, 0.87, "efficiency, Toktogul", " ", powerhouse="toktogul"),
        _one("powerhouse", "tailwater_m", 716, 724, "tailwater, Toktogul", "m", powerhouse="toktogul"),
        _one("powerhouse", "head_m", 91.5, 108, "head, Kurpsai", "m", powerhouse="kurpsai"),
        _one("powerhouse", "efficiency", 0.84, 0.92, "efficiency, four plants below Toktogul", " ",
             powerhouse=["kurpsai", "tash_kumyr", "shamaldy_sai", "uch_kurgan"]),
        _one("powerhouse", "design_flow_m3s", 920, 990, "design flow, Toktogul", "m³/s", powerhouse="toktogul"),
    ]


def _solve_end(end: Any) -> Facts:
    if callable(end):
        return facts(adjust=[end])
    return facts(**end) if isinstance(end, dict) else facts(end)


def solve_variants() -> list[tuple[Variant, Facts, Facts]]:
    """Solve all variants; the one that moves Toktogul's growing season most comes first."""
    done = [(v, _solve_end(v.ends[0][1]), _solve_end(v.ends[1][1])) for v in (*_water_variants(), *_power_variants())]
    base = facts()

    def reach(one: tuple[Variant, Facts, Facts]) -> float:
        return -max(abs(f.sum(f.release - base.release, "growing")) for f in one[1:])

    return sorted(done, key=reach)


def _pair(low: float, high: float, digits: int = 0) -> str:
    return f"{number(low, digits)} … {number(high, digits)}"


def sensitivity_table(base: Facts, done: list[tuple[Variant, Facts, Facts]]) -> str:
    """Return how results move between the ends of each range."""
    measures = (lambda f: f.sum(f.release, "growing"), lambda f: f.january, lambda f: f.cost,
                lambda f: f.sum(f.shortage(), "year"), lambda f: f.sum(f.imports, "winter"),
                lambda f: f.sum(f.imports, "year"))
    digits = (0, 0, 1, 0, 0, 0)
    rows = [["**as shipped**", "", *(f"**{number(m(base), d)}**" for m, d in zip(measures, digits, strict=True))]]
    for variant, low, high in done:
        rows.append([variant.name, f"{variant.ends[0][0]} … {variant.ends[1][0]}",
                     *(_pair(m(low), m(high), d) for m, d in zip(measures, digits, strict=True))])
    return table(["number", "from … to", "Toktogul Apr–Sep hm³", "Toktogul January hm³", "cost MUSD", "KZ shortage hm³",
                  "KG net imports Oct–Mar GWh", "year GWh"], rows, words=2)


# ---- 4. shortage goes to the least valuable use ---------------------------------------------------------------------


def order_table() -> str:
    """Return shortages at larger requirements; the sites stand in the order of their value."""
    rows, sites = [], list(make_case().book.tables["demand"])
    prices = make_case().book.tables["demand"].value
    sites.sort(key=lambda d: prices[d])
    for factor in (1.0, 1.1, 1.2, 1.3, 1.6, 2.0):
        run = facts([change("demand_requirement", "requirement", multiply=factor)])
        short = {d: run.shortage_of(d).sum() for d in sites}
        need = {d: run.volume("requirement", d).sum() for d in sites}
        cells = [f"{number(short[d])} ({short[d] / need[d]:.0%})" if short[d] > 0.5 else "0" for d in sites]
        rows.append([f"×{factor:g}", *cells, number(run.sum(run.release, "growing")), number(run.cost, 1)])
    header = ["requirements", *(f"{d.replace('_', ' ')} ({prices[d]:g} USD/m³)" for d in sites),
              "Toktogul Apr–Sep hm³", "cost MUSD"]
    return table(header, rows)


def band_table() -> str:
    """Return, where requirements are larger, how full the steps of shortage of each price are over the year."""
    edges = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.3)
    rows = []
    for factor in (1.2, 1.3, 1.6, 2.0):
        run = facts([change("demand_requirement", "requirement", multiply=factor)])
        sites, steps = run.case.book.tables["demand"], run.case.book.settings["shortage_steps"]
        room, used = np.zeros(len(edges)), np.zeros(len(edges))
        for d in sites:
            for s, step in enumerate(steps):
                price = sites.value[d] * run.case.book.series["demand"]["weight"][d] * step.factor
                band = np.searchsorted(edges, price - 1e-12) - 1
                np.add.at(room, band, step.width * run.volume("requirement", d))
                np.add.at(used, band, run.volume("shortage", (d, s)))
        rows.append([f"×{factor:g}", *(f"{number(used[k])} ({used[k] / room[k]:.1%})" for k in range(len(edges) - 1))])
    names = [f"{a:g}–{b:g} USD/m³" for a, b in pairwise(edges)]
    return table(["requirements", *names], rows)


# ---- 5. Kyrgyz power against what is published ----------------------------------------------------------------------


class Published(NamedTuple):
    """A published sum of some months [GWh]."""

    name: str
    first: str
    last: str
    generation: float
    imports: float


GENERATED_2023 = 13_825.0  # GWh, Ministry of Energy
USED_2023 = (17_200.0, 16_558.0)  # GWh, the two published consumptions; the shipped load keeps the first


def published() -> list[Published]:
    """Return published generation and imports of parts of 2023 and 2024, from the shipped sources."""
    with POWER.open(encoding="utf-8", newline="") as stream:
        rows = {(r["anchor"], r["item"]): float(r["gwh"]) for r in csv.DictReader(stream) if r["use"] == "fit"}
    parts = (("January–March 2023", "2023-01", "2023-03", "2023_first_quarter"),
             ("April–May 2023", "2023-04", "2023-05", "2023_spring"),
             ("January–June 2024", "2024-01", "2024-06", "2024_first_half"))
    first, spring, later = (Published(name, begin, end, rows[anchor, "generation"], rows[anchor, "import"])
                            for name, begin, end, anchor in parts)
    years = [Published(f"year 2023, if {used / 1e3:.2f} TWh were used", "2023-01", "2023-12", GENERATED_2023,
                       used - GENERATED_2023) for used in USED_2023]
    return [first, spring, *years, later]


def _months_of(runs: Sequence[Facts], amount: Callable[[Facts], np.ndarray], first: str, last: str) -> float:
    total = 0.0
    for run in runs:
        values = amount(run)
        total += sum(v for v, s in zip(values, run.case.calendar.starts, strict=True) if first <= f"{s:%Y-%m}" <= last)
    return total


def power_table(history: Sequence[Facts], optimum: Sequence[Facts]) -> str:
    """Return generation and net imports of history held and of the optimum beside what is published."""
    rows = []
    for p in published():
        cells = []
        for amount, known in ((lambda f: f.energy("hydro", "other_hydro", "thermal"), p.generation),
                              (lambda f: f.imports, p.imports)):
            modelled = [_months_of(runs, amount, p.first, p.last) for runs in (history, optimum)]
            cells += [number(known), *(number(m) for m in modelled)]
        rows.append([p.name, *cells])
    return table(["", "generation: published", "history held", "optimum", "net imports: published", "history held",
                  "optimum"], rows)


def partner_table(runs: Sequence[tuple[str, Facts]]) -> str:
    """Return the energy from each partner, January to March 2023, beside what is published."""
    known = {"kz_kg": 485.9, "uz_kg": 145.6, "outside_kg": 297.3}
    names = {"kz_kg": "Kazakhstan", "uz_kg": "Uzbekistan", "outside_kg": "Turkmenistan and Russia"}
    rows = []
    for link, value in known.items():
        rows.append([names[link], number(value), *(
            number(_months_of([f], lambda f, k=link: f.from_partner(k), "2023-01", "2023-03")) for _, f in runs)])
    rows.append(["sum", number(sum(known.values())), *(
        number(_months_of([f], lambda f: f.imports, "2023-01", "2023-03")) for _, f in runs)])
    return table(["January–March 2023, GWh", "published", *(n for n, _ in runs)], rows)


# ---- 6. what would move January -------------------------------------------------------------------------------------


class Search(NamedTuple):
    """What is multiplied, and between which limits."""

    name: str
    make: Callable[[float], dict[str, Any]]
    low: float
    high: float


Measure = Callable[[Facts], float]


def _find(search: Search, measure: Measure, towards: float) -> str:
    """Walk from 1 towards a limit in 12 equal ratios; bisect the first one in which a measure moves by over 3 %."""
    base = measure(_solved(search, 1.0))

    def moves(factor: float) -> bool:
        return abs(measure(_solved(search, factor)) / base - 1) > 0.03

    ratios = np.geomspace(1.0, towards, 13)
    step = next((pair for pair in pairwise(ratios.tolist()) if moves(pair[1])), None)
    if step is None:
        return f"none to ×{towards:g}"
    near, far = step
    while abs(far / near - 1) > 0.005:
        middle = (near * far) ** 0.5
        near, far = (near, middle) if moves(middle) else (middle, far)
    return f"×{far:.2f} (then {number(measure(_solved(search, far)))} hm³)"


@cache
def _solved(search: Search, factor: float) -> Facts:
    return facts(**search.make(factor))


def _winter_prices(*steps: str) -> Callable[[float], dict[str, Any]]:
    """Scale steps of the exchange curves in October to March; prices that are absorbed move along downwards."""

    def make(factor: float) -> dict[str, Any]:
        months = [10, 11, 12, 1, 2, 3]
        chosen = [x for x in make_case().book.tables["exchange"] if x.endswith(steps)]
        down = [x for x in make_case().book.tables["exchange"] if "_absorb_" in x] if factor < 1 else []
        return {"changes": [change("exchange_step", "price_usd_per_mwh", multiply=factor, exchange=[*chosen, *down],
                                   month=months)]}

    return make


def _field_value(*more: Change) -> Callable[[float], dict[str, Any]]:
    """Scale the value of water of the fields, and with it every dearer price of water, so that their order stays."""

    def make(factor: float) -> dict[str, Any]:
        up = max(factor, 1.0)
        return {"changes": [*more, change("demand", "value", multiply=factor, use="field"),
                            change("demand", "value", multiply=up, use="town"),
                            change("gain", "unmet_cost", multiply=up), change("instream", "penalty", multiply=up),
                            change("sea", "penalty", multiply=up)]}

    return make


def searches() -> list[Search]:
    """Return what is varied."""
    thirst = {f: change("demand_requirement", "requirement", multiply=f) for f in (1.6, 2.0)}
    return [
        Search("all supply steps of October–March", _winter_prices("_supply_1", "_supply_2", "_supply_3"), 0.5, 5),
        Search("contract steps of October–March", _winter_prices("_supply_1"), 0.5, 1.5),
        Search("steps beyond the contracts, October–March", _winter_prices("_supply_2", "_supply_3"), 0.7, 5),
        Search("scarcity steps of October–March", _winter_prices("_supply_3"), 0.55, 5),
        Search("value of irrigation water", _field_value(), 0.05, 50),
        *(Search(f"value of irrigation water, requirements ×{f:g}", _field_value(thirst[f]), 0.05, 50) for f in thirst),
    ]


def break_even_table() -> str:
    """Return the multipliers at which Toktogul's release moves by more than 3 %."""
    rows = []
    for search in searches():
        cells = []
        for measure in (lambda f: f.january, lambda f: f.sum(f.release, "growing")):
            found = [_find(search, measure, towards) for towards in (search.low, search.high)]
            cells += [number(measure(_solved(search, 1.0))), *found]
        rows.append([search.name, *cells])
    return table(["what is multiplied", "January hm³", "moves by 3 % downwards at", "upwards at", "Apr–Sep hm³",
                  "moves by 3 % downwards at", "upwards at"], rows, words=7)


def clause_table(base: Facts) -> str:
    """Return what it costs to fix Toktogul's growing-season release."""
    rows = []
    for volume in (4500, 5000, 5353, 6000, 6500, 7000, 7500, 8000):
        clause = {"kind": "season_volume", "reservoir": "toktogul", "first_month": 4, "last_month": 9,
                  "quantity_hm3": float(volume)}
        both = [{**clause, "clause": "least", "sense": ">="}, {**clause, "clause": "most", "sense": "<="}]
        run = facts(policies=both)
        rows.append([number(volume), number(run.cost, 1), number(run.cost - base.cost, 1), number(run.january),
                     number(run.sum(run.shortage("field"), "year")), number(run.sum(run.shortage("wetland"), "year")),
                     number(run.sum(run.imports, "winter")), number(run.price()[~run.growing].mean(), 1),
                     number(run.price()[run.growing].mean(), 1)])
    return table(["Toktogul Apr–Sep hm³", "cost MUSD", "above the optimum", "January hm³", "fields short hm³",
                  "lakes short hm³", "net imports Oct–Mar GWh", "price Oct–Mar USD/MWh", "price Apr–Sep"], rows)


# ---- 7. checks of the model itself ----------------------------------------------------------------------------------


def structure_table(base: Facts, history: Facts, uncounted: tuple[Facts, Facts], upper_held: Facts,
                    two_years: Facts) -> str:
    """Return what happens when the model or its horizon, not a number, is changed."""
    more = {r: v + 1000 * (r == "toktogul") for r, v in _least().items()}
    rows = [
        _structure_row("as shipped", base, history),
        _structure_row("neighbours' own load not counted", *uncounted),
        _structure_row("Charvak and Andijan released as observed", upper_held, None),
        _structure_row("Shardara never below 1 000 hm³", facts([SHARDARA_AT_1000]), None),
        _structure_row("1 000 hm³ more to be left in Toktogul",
                       facts(closing={"storage": more, "transit": "observed"}), None),
        _structure_row("by months instead of dekads", facts(step="month"), None),
        _structure_row("two years, October 2022 – September 2024: its first year", two_years, None),
        _structure_row("two years, Shardara never below 1 000 hm³: its first year",
                       facts([SHARDARA_AT_1000], end=TWO_YEARS), None),
    ]
    return table(["", "cost MUSD", "history's cost", "Toktogul Apr–Sep hm³", "January hm³", "storage end of Sep 2023",
                  "net imports Oct–Mar GWh", "in history", "price Oct–Mar USD/MWh", "fields short hm³",
                  "lakes short hm³"], rows)


def _structure_row(name: str, run: Facts, past: Facts | None) -> list[str]:
    first = np.array([s < date(2023, 10, 1) for s in run.case.calendar.starts])
    winter = first & ~run.growing
    end = run.values.get("storage", "toktogul")[np.flatnonzero(first)[-1]]
    cost = number(run.cost, 1) if first.all() else ""
    return [name, cost, number(past.cost, 1) if past else "", number(run.release[first & run.growing].sum()),
            number(run.release[first & (run.months == 1)].sum()), number(end), number(run.imports[winter].sum()),
            number(past.imports[~past.growing].sum()) if past else "", number(run.price()[winter].mean(), 1),
            *(number(run.shortage(use)[first].sum()) for use in ("field", "wetland"))]


def checks(run: Facts) -> str:
    """Return what was looked for in the optimum, and what was found."""
    both_ways = np.minimum(run.volume("canal_flow", "koksaray_intake"), run.volume("release", "koksaray"))
    off_price, used = 0.0, 0
    series, steps = run.case.book.series["exchange"], run.case.book.tables["exchange"]
    for x in steps:
        for b, hours in run.case.book.blocks.items():
            amount = run.values.get("exchanged", (x, b))
            width = series["limit"][x] * run.case.calendar.days * hours * 1e-3
            inside = (amount > 1e-4) & (amount < width - 1e-4)
            used += int(inside.sum())
            gap = np.abs(run.result.price(steps.grid[x], b) - series["price"][x])[inside]
            off_price = max(off_price, float(gap.max(initial=0.0)))
    lake = run.values.get("storage", "shardara")
    price = run.price()
    unmet = sum(run.volume("claim_unmet", g).sum() for g in run.case.book.tables["gain"])
    bypassed = sum(run.volume(n, r).sum() for n in ("bypass", "spill") for r in DAMS)
    reverse = run.volume("release", "koksaray").sum() - run.volume("canal_flow", "koksaray_intake").sum()
    rows = [
        ["what one more 1000 m³ to be left in Toktogul would cost",
         f"{1e3 * run.values.reduced_cost('storage', 'toktogul')[-1]:.1f} USD"],
        ["bypass and spill at the five dams with turbines", f"{number(bypassed)} hm³"],
        ["exchange steps in partial use, and largest difference of their grid's price from the step's",
         f"{used} times, {off_price:.2f} USD/MWh"],
        ["price in the last dekad less the one before (end of the horizon)",
         f"{signed(price[-1] - price[-2])} USD/MWh"],
        ["water value below Uch-Kurgan, last dekad less third last",
         f"{signed(1e3 * np.subtract(*run.result.water_value('naryn_below')[[-1, -3]]))} USD/1000 m³"],
        ["Koksaray takes in and releases in the same dekad",
         f"{int((both_ways > 1).sum())} of 36 dekads, {number(both_ways.sum())} hm³ pass through"],
        ["Koksaray: release less intake over the year", f"{number(reverse)} hm³ (the rest evaporates and seeps)"],
        ["Shardara below its published dead storage of 1 000 hm³",
         f"{int((lake < 1000).sum())} dekads, lowest {number(lake.min())} hm³"],
        ["largest winter release of Shardara",
         f"{number(run.values.get('release', 'shardara')[~run.growing].max())} m³/s"],
        ["Arnasay", f"{number(run.volume('sea_inflow', 'arnasay').sum())} hm³"],
        ["claims short", f"{number(unmet)} hm³"],
        ["head: energy of the LP against the curve", f"{run.result.run['head_gap']:.3%}"],
    ]
    return table(["looked for", "found"], rows, words=2)


def headlines(run: Facts, history: Facts, toktogul_held: Facts, uncounted: Facts, upper_held: Facts,
              two_years: Facts) -> str:
    """Return the findings in sentences."""
    seasons = {f: [number(f.sum(f.release, s)) for s in ("winter", "growing")] for f in (history, run, uncounted)}
    money = [f.result.account("KZ", "shortage") for f in (history, run)]
    first = np.array([s < date(2023, 10, 1) for s in two_years.case.calendar.starts])
    later = two_years.release[first & two_years.growing].sum()
    short = [number(f.sum(f.shortage(), "year")) for f in (history, run)]
    imports = [number(f.sum(f.imports, "year")) for f in (history, run)]
    return "\n".join([
        f"* The joint cost is {number(run.cost, 1)} million USD; with history held it is {number(history.cost, 1)}. Of "
        f"the {number(history.cost - run.cost, 1)} between them, {number(money[0] - money[1], 1)} are shortage in "
        "Kazakhstan and the rest is power. This is an upper bound on what could have been saved (section 6).",
        f"* Toktogul releases {seasons[run][0]} hm³ in October–March and {seasons[run][1]} in April–September. In fact "
        f"it released {seasons[history][0]} and {seasons[history][1]}.",
        f"* With Toktogul's release held as observed and all else free, the cost is {number(toktogul_held.cost, 1)}: "
        f"Toktogul's own share of the saving is {number(toktogul_held.cost - run.cost, 1)}.",
        "* Charvak and Andijan carry a part of the season's shift: were they released as observed, Toktogul would "
        f"release {number(upper_held.sum(upper_held.release, 'growing'))} hm³ in April–September, and the cost would "
        f"be {number(upper_held.cost, 1)}.",
        f"* {short[1]} hm³ are short in the optimum, {short[0]} with history held. Kyrgyz net imports of the year are "
        f"{imports[1]} GWh, {imports[0]} with history held.",
        f"* The horizon outweighs every single number: beyond the storage to be left on 30 September 2023 water is "
        f"worth nothing to the model. With a second year in sight Toktogul releases {number(later)} hm³ in the first "
        f"growing season. What the neighbours' own plants serve matters too: were it not counted, Toktogul would "
        f"release {seasons[uncounted][1]} hm³ in April–September (section 7).",
    ])


# ---- charts ---------------------------------------------------------------------------------------------------------


def _style() -> None:
    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "wateropt", "svg.fonttype": "path", "font.family": "sans-serif",
                         "font.size": 12, "axes.spines.top": False, "axes.spines.right": False,
                         "axes.grid": True, "grid.color": "#DDDDDD", "axes.axisbelow": True})


def _save(figure: Any, path: str) -> None:
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    plt.close(figure)
    file = Path(path)
    lines = (line.rstrip() for line in file.read_text(encoding="utf-8").splitlines())
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _month_axis(axis: Any, edges: np.ndarray) -> None:
    axis.set_xlim(edges[0], edges[-1])
    axis.set_xticks(edges)
    axis.set_xticklabels([])
    axis.tick_params(axis="x", length=4)
    for k, name in enumerate(MONTHS):
        axis.annotate(name, ((edges[k] + edges[k + 1]) / 2, 0), xycoords=("data", "axes fraction"),
                      xytext=(0, -6), textcoords="offset points", ha="center", va="top", fontsize=11)


def main_chart(run: Facts, history: Facts) -> None:
    """Draw storage and release of Toktogul and what was short downstream."""
    calendar = run.case.calendar
    edges = np.concatenate([[0.0], np.cumsum(calendar.days)])
    months = np.concatenate([[0.0], np.cumsum(run.by_month(calendar.days))])
    figure, (top, middle, low) = plt.subplots(3, 1, figsize=(8, 8.6), height_ratios=(1.0, 1.15, 1.0))
    for f, colour in ((history, OBSERVED), (run, OPTIMAL)):
        top.plot(edges, f.values.with_opening("storage", "toktogul") / 1e3, color=colour, lw=2.6,
                 ls="-" if f is run else (0, (5, 1.5)))
        middle.stairs(f.values.get("release", "toktogul"), edges, color=colour, lw=2.6, baseline=None,
                      ls="-" if f is run else (0, (5, 1.5)))
    middle.stairs(run.values.get("inflow", "naryn"), edges, color=GREY, lw=1.4, baseline=None)
    top.set_title("Toktogul, storage (km³)", loc="left", fontsize=12, fontweight="bold")
    middle.set_title("Toktogul, release (m³/s)", loc="left", fontsize=12, fontweight="bold")
    low.set_title("Missing at fields, lakes and towns of southern Kazakhstan (hm³ a month)", loc="left", fontsize=12,
                  fontweight="bold")
    top.set_ylim(6.5, 14)
    middle.set_ylim(0, 1500)
    _label_lines(top, middle, run, history, edges)
    _shortage_bars(low, run, history, months)
    for axis in (top, middle, low):
        _month_axis(axis, months)
    figure.tight_layout(h_pad=1.6)
    _save(figure, "docs/dry-2023.svg")


def _label_lines(top: Any, middle: Any, run: Facts, history: Facts, edges: np.ndarray) -> None:
    at = 18
    opt, obs = (f.values.get("storage", "toktogul") / 1e3 for f in (run, history))
    top.annotate("optimum", (edges[at + 1], opt[at]), xytext=(0, 12), textcoords="offset points", color=OPTIMAL,
                 fontweight="bold", ha="center")
    top.annotate("observed", (edges[at + 1], obs[at]), xytext=(4, -22), textcoords="offset points", color=OBSERVED,
                 fontweight="bold", ha="center")
    first = history.values.get("release", "toktogul")
    middle.annotate("observed", (edges[8], first[6:10].max()), xytext=(-2, 10), textcoords="offset points",
                    color=OBSERVED, fontweight="bold", ha="right")
    middle.annotate("optimum", (edges[11], run.values.get("release", "toktogul")[6:12].min()), xytext=(0, -9),
                    textcoords="offset points", color=OPTIMAL, fontweight="bold", ha="right", va="top")
    inflow = run.values.get("inflow", "naryn")
    most = int(inflow.argmax())
    middle.annotate("inflow", (edges[most + 1], inflow[most]), xytext=(6, -8), textcoords="offset points",
                    color="#555555")


def _shortage_bars(axis: Any, run: Facts, history: Facts, months: np.ndarray) -> None:
    centre = (months[:-1] + months[1:]) / 2
    both = run.shortage().sum() > 1
    width = 11.0 if both else 18.0
    for f, shift, colour in ((history, -0.5 * both, OBSERVED), (run, 0.5 * both, OPTIMAL)):
        fields = f.by_month(f.shortage("field", "town"))
        lakes = f.by_month(f.shortage("wetland"))
        place = centre + shift * (width + 1)
        axis.bar(place, fields, width, color=colour)
        axis.bar(place, lakes, width, bottom=fields, color="white", edgecolor=colour, hatch="////", lw=1.0)
    total = [number(f.shortage().sum()) for f in (history, run)]
    axis.annotate(f"with the observed operation: {total[0]} hm³ in the year", (0.02, 0.88), xycoords="axes fraction",
                  color=OBSERVED, fontweight="bold")
    axis.annotate(f"optimum: {total[1]} hm³", (0.02, 0.74), xycoords="axes fraction", color=OPTIMAL, fontweight="bold")
    axis.annotate("full: fields; hatched: lakes and delta", (0.02, 0.61), xycoords="axes fraction", color="#444444")


def sensitivity_chart(base: Facts, done: list[tuple[Variant, Facts, Facts]]) -> None:
    """Draw how far each unpublished number moves Toktogul's growing season."""
    shown = done[:14][::-1]
    figure, axis = plt.subplots(figsize=(8, 5.8))
    middle = base.sum(base.release, "growing")
    ends = [[(f.sum(f.release, "growing"), v.ends[k][0]) for k, f in enumerate((low, high))] for v, low, high in shown]
    for row, pair in enumerate(ends):
        values = [value for value, _ in pair]
        axis.plot(values, [row, row], color=GREY, lw=3, zorder=2)
        for (value, _), colour, marker in zip(pair, (OBSERVED, OPTIMAL), "os", strict=True):
            axis.plot(value, row, marker, color=colour, ms=9, zorder=3)
        for (value, text), left in zip(sorted(pair), (True, False), strict=True):
            axis.annotate(text, (value, row), xytext=(-8 if left else 8, 0), textcoords="offset points", fontsize=9,
                          ha="right" if left else "left", va="center",
                          bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5}, zorder=2.5)
    axis.axvline(middle, color="black", lw=1, zorder=1)
    axis.set_yticks(range(len(shown)), [v.name for v, _, _ in shown], fontsize=10)
    axis.set_title("Toktogul's release in April–September (hm³); black line: as shipped", loc="right", fontsize=11,
                   fontweight="bold")
    values = [value for pair in ends for value, _ in pair]
    spread = max(values) - min(values)
    axis.set_xlim(min(values) - 0.4 * spread, max(values) + 0.25 * spread)
    axis.grid(axis="y", visible=False)
    figure.tight_layout()
    _save(figure, "docs/dry-2023-sensitivity.svg")


# ---- everything -----------------------------------------------------------------------------------------------------


def main() -> None:
    """Solve everything, write the page and the charts."""
    _style()
    base = facts()
    observed = held(base.case, "observed")
    history = facts(hold=observed)
    later = wateropt.load("normal-2024")
    next_year = [Facts(wateropt.solve(later, hold=held(later, "observed"))), Facts(wateropt.solve(later))]
    free = make_case([NOT_COUNTED])
    uncounted, uncounted_past = (Facts(wateropt.solve(free, hold=h)) for h in (None, held(free, "observed")))
    two_years = facts(end=TWO_YEARS)
    done = solve_variants()
    toktogul = {k: v for k, v in observed.items() if k == ("release", "toktogul")}
    upper = {k: v for k, v in observed.items() if k in {("release", "andijan"), ("release", "charvak")}}
    upper_held = facts(hold=upper)
    write_page({
        "headlines": headlines(base, history, facts(hold=toktogul), uncounted, upper_held, two_years),
        "months": month_table(base, history), "binding": binding_table(base), "values": value_table(base),
        "seasons": season_table(base, history), "costs": cost_table(base, history),
        "freeing": freeing_table(base, observed), "sources": water_source_table(base, history),
        "canals": canal_table(history), "sensitivity": sensitivity_table(base, done), "order": order_table(),
        "bands": band_table(),
        "power": power_table([history, next_year[0]], [base, next_year[1]]),
        "partners": partner_table([("history held", history), ("optimum", base),
                                   ("history held, neighbours' own load not counted", uncounted_past),
                                   ("optimum, neighbours' own load not counted", uncounted)]),
        "january": break_even_table(), "clause": clause_table(base),
        "structure": structure_table(base, history, (uncounted, uncounted_past), upper_held, two_years),
        "checks": checks(base),
    })
    main_chart(base, history)
    sensitivity_chart(base, done)


if __name__ == "__main__":
    main()
