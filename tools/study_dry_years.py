"""Study of the dry years: the tables and the chart of docs/dry-years.md.

Run it from the root of the repository (about three minutes): python tools/study_dry_years.py
It solves the scenarios of every dry year and of the years for contrast, free and with the observed releases, and
writes between the markers of the page. The same input gives the same bytes.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Patch

import wateropt
from wateropt.hold import held
from wateropt.report.charts import save, use_style
from wateropt.scenario import shipped_scenarios
from wateropt.studies.dry_years import dry_years
from wateropt.studies.validation import filled, markdown

PAGE = Path("docs/dry-years.md")
BASIN = "naryn-syrdarya"
YEARS = ("dry-", "wet-", "normal-")
ENERGY = ("electricity_trade", "exchange", "generation", "unserved_energy")
FIELDS, POWER, STORED = "#2E7D32", "#F2A900", "#0072B2"
WHY = {"available": "Toktogul", "season": "Shardara"}
WORKERS = 2


class Run(NamedTuple):
    """What a run of a year says.

    Attributes:
        energy, fields, other: cost of energy, of shortage and of what else was missed [MUSD].
        short: country -> shortage [hm³]; loss: country -> its cost [MUSD]; unserved: country -> energy [GWh].
        release: Toktogul's release in April-September [hm³]; imports: net Kyrgyz imports in October-March [GWh].
        drawn: what Toktogul holds less at the end than at the start [hm³]; value: mean water value there [USD/m³].
    """

    energy: float
    fields: float
    other: float
    short: dict[str, float]
    loss: dict[str, float]
    unserved: dict[str, float]
    release: float
    imports: float
    drawn: float
    value: float

    @property
    def cost(self) -> float:
        """Everything [MUSD]."""
        return self.energy + self.fields + self.other


def run(job: tuple[str, bool]) -> Run:
    """Solve a scenario, free or with the observed releases, and return what it says."""
    name, observed = job
    case = wateropt.load(name)
    return facts(wateropt.solve(case, hold=held(case, "observed") if observed else None))


def facts(result: wateropt.Result) -> Run:
    """Return what a result says."""
    lines = [(line.place, float(line.values.sum())) for line in result.ledger("account")]
    energy = sum(v for (_, item, _), v in lines if item in ENERGY)
    fields = sum(v for (_, item, _), v in lines if item == "shortage")
    demands, grids, calendar = result.case.book.tables["demand"], result.case.book.tables["grid"], result.case.calendar
    hm3 = 0.0864 * calendar.days
    short: dict[str, float] = {}
    for d, step in result.values.keys("shortage"):
        country = demands.country[d]
        short[country] = short.get(country, 0.0) + float(result.values.get("shortage", (d, step)) @ hm3)
    loss: dict[str, float] = {}
    for (country, item, _), value in lines:
        if item == "shortage":
            loss[country] = loss.get(country, 0.0) + value
    unserved: dict[str, float] = {}
    for line in result.ledger("grid", "unserved"):
        country = grids.country[line.place[0]]
        unserved[country] = unserved.get(country, 0.0) + float(line.values.sum())
    growing = np.array([s == "growing" for s in calendar.seasons])
    release = float((result.values.get("release", "toktogul") * hm3)[growing].sum())
    trade = sum(line.values for line in result.ledger("grid", "import", "export") if line.place[0] == "kg")
    imports = float(np.asarray(trade)[~growing].sum()) if not np.isscalar(trade) else 0.0
    lake = result.values.with_opening("storage", "toktogul")
    value = float(np.average(result.water_value("toktogul"), weights=calendar.days))
    return Run(energy, fields, sum(v for _, v in lines) - energy - fields, short, loss, unserved, release, imports,
               float(lake[0] - lake[-1]), value)


def years() -> list[str]:
    """Return the scenarios of a single year on the Syr Darya, e.g. `dry-2008`."""
    return [name for name in shipped_scenarios() if name.startswith(YEARS) and name.count("-") == 1]


def solve_all(names: list[str]) -> dict[tuple[str, bool], Run]:
    """Solve every year, as it was operated and free, alone and on all rivers, without and with Kambarata-1."""
    kinds = ("", "-kambarata-1", "-joined", "-joined-kambarata-1")
    jobs = [(name, True) for name in names] + [(f"{name}{kind}", False) for name in names for kind in kinds]
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        return dict(zip(jobs, pool.map(run, jobs), strict=True))


def number(value: float, digits: int = 0) -> str:
    """Return a number for a table; zero has no sign."""
    text = f"{value:,.{digits}f}".replace(",", " ")
    return text.removeprefix("-") if not text.strip("-0. ") else text.replace("-", "−")


def rule_table() -> str:
    """Return the record and what the rule says of each year."""
    header = ["year", "inflow hm³", "opening hm³", "available hm³", "rank", "Shardara Apr–Sep hm³", "of agreed", "dry"]
    rows = []
    for y in dry_years(wateropt.basin.find_basin(BASIN)):
        share = f"{y.share:.0%}" if y.share is not None else ""
        cells = [y.inflow, y.opening, y.available, None, y.season]
        shown = [number(v) if v is not None else "" for v in cells]
        shown[3] = str(y.rank) if y.rank is not None else ""
        why = "yes, by " + " and ".join(WHY[rule] for rule in y.dry) if y.dry else "no"
        rows.append([str(y.year), *shown, share, why + (", at the border" if y.border else "")])
    return markdown(header, rows)


def ranking(names: list[str], done: dict[tuple[str, bool], Run]) -> str:
    """Return the years by irrigation loss and unserved energy of their joint optimum on all rivers."""
    countries = ("KG", "KZ")
    runs = {name: done[f"{name}-joined", False] for name in names}
    order = sorted(names, key=lambda n: (-sum(runs[n].loss.values()), -sum(runs[n].unserved.values()), n))
    header = ["year", *(f"{c}: hm³ short" for c in countries), *(f"loss {c} MUSD" for c in countries),
              "unserved GWh", "energy MUSD", "cost MUSD", "with Kambarata-1 MUSD"]
    rows = []
    for name in order:
        one = runs[name]
        rows.append([name, *(number(one.short.get(c, 0.0)) for c in countries),
                     *(number(one.loss.get(c, 0.0), 1) for c in countries), number(sum(one.unserved.values())),
                     number(one.energy), number(one.cost), number(done[f"{name}-joined-kambarata-1", False].cost)])
    return markdown(header, rows)


def comparison(names: list[str], done: dict[tuple[str, bool], Run]) -> str:
    """Return history against the optimum of each year on the Syr Darya."""
    header = ["year", "as operated MUSD", "of it fields", "optimum MUSD", "of it fields", "drawn from Toktogul hm³",
              "water value there USD/m³", "optimum with that water at its value MUSD",
              "Toktogul Apr–Sep hm³: as operated", "optimum", "Kyrgyz net imports Oct–Mar GWh: as operated", "optimum"]
    rows = []
    for name in names:
        was, best = done[name, True], done[name, False]
        rows.append([name, number(was.cost), number(was.fields), number(best.cost), number(best.fields),
                     number(best.drawn), f"{best.value:.3f}", number(best.cost + best.value * best.drawn),
                     number(was.release), number(best.release), number(was.imports), number(best.imports)])
    return markdown(header, rows)


def chart(names: list[str], done: dict[tuple[str, bool], Run], available: dict[str, float], path: Path) -> None:
    """Draw what each year cost, as operated and at best, and what it took from Toktogul or left there."""
    use_style()
    order = sorted(names, key=lambda n: n.split("-")[1])
    figure, (top, low) = plt.subplots(2, 1, figsize=(9.5, 7.2), height_ratios=(3, 1.2), sharex=True)
    for place, name in enumerate(order):
        for shift, job, strength in ((-0.2, (name, True), 0.45), (0.2, (name, False), 1.0)):
            one = done[job]
            top.bar(place + shift, one.energy, 0.36, color=POWER, alpha=strength)
            top.bar(place + shift, one.fields + one.other, 0.36, bottom=one.energy, color=FIELDS, alpha=strength)
            _number(top, place + shift, one.cost, f"{one.cost:.0f}")
        change = -done[name, False].drawn / 1e3
        low.bar(place, change, 0.5, color=STORED)
        _number(low, place, change, f"{change:+.1f}".replace("-", "−"))
    labels = [f"{name.split('-')[1]}\n{available[name] / 1e3:.1f}" for name in order]
    low.set_xticks(range(len(order)), labels, fontsize=11)
    low.axhline(0, color="black", lw=1)
    low.margins(y=0.3)
    low.set_xlabel("year, and the water at hand: inflow and what stood in Toktogul above dead storage (km³)",
                   fontsize=11)
    low.set_title("Toktogul at the end of the year against its start (km³)", loc="left", fontsize=12, fontweight="bold")
    top.set_title("What the water of a year would cost today (million USD)", loc="left", fontsize=13,
                  fontweight="bold")
    top.legend(handles=[Patch(color=POWER, label="energy bought and burnt"),
                        Patch(color=FIELDS, label="lost for want of water: fields, lakes"),
                        Patch(color="#999999", alpha=0.45, label="left, pale: released as it was then"),
                        Patch(color="#999999", label="right: the best joint schedule")], frameon=False, fontsize=10,
               ncols=2, loc="upper right")
    top.set_ylim(0, 1.3 * max(one.cost for one in done.values()))
    for axis in (top, low):
        axis.grid(axis="x", visible=False)
    figure.tight_layout(h_pad=1.4)
    save(figure, path)


def _number(axis: Any, place: float, height: float, text: str) -> None:
    """Write a number at the end of a bar."""
    up = height >= 0
    axis.annotate(text, (place, height), xytext=(0, 2 if up else -2), textcoords="offset points", ha="center",
                  va="bottom" if up else "top", fontsize=9)


def main() -> None:
    """Solve everything, write the page and its chart."""
    names = years()
    done = solve_all(names)
    record = {y.year: y for y in dry_years(wateropt.basin.find_basin(BASIN))}
    known = [n for n in names if record[int(n.split("-")[1])].available is not None]
    available = {n: float(record[int(n.split("-")[1])].available) for n in known}
    fragments: dict[str, Any] = {"rule": rule_table(), "ranking": ranking(names, done),
                                 "comparison": comparison(names, done)}
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), fragments), encoding="utf-8")
    chart(known, done, available, Path("docs/dry-years.svg"))


if __name__ == "__main__":
    main()
