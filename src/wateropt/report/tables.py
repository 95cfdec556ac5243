"""The tables that a run writes: each is read off the result, nothing is computed a second time.

Every table is a mapping from column to values; `TABLES` holds the functions in the order of the files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from wateropt.calendar import Floats
from wateropt.result import Line, Result
from wateropt.units import HM3_PER_M3S_DAY

Row = dict[str, Any]
RELEASED = ("turbine", "bypass", "spill")
TAKEN = ("claim", "delivery", "canal")
OWN = ("storage_change", "evaporation", "evaporation_included")


def _periods(result: Result) -> Iterator[tuple[int, str, int]]:
    calendar = result.case.calendar
    for t, (start, days) in enumerate(zip(calendar.starts, calendar.days, strict=True)):
        yield t, start.isoformat(), int(days)


def _kappa(result: Result) -> Floats:
    return result.case.calendar.days * HM3_PER_M3S_DAY


def _sum(lines: Iterable[Line], periods: int) -> Floats:
    return sum((line.values for line in lines), np.zeros(periods))


def release_schedule(result: Result) -> Iterator[Row]:
    """One row per reservoir and period: the schedule that is handed on."""
    table, values, count = result.case.book.tables["reservoir"], result.values, result.values.periods
    plants = result.case.book.tables["powerhouse"]
    kappa = _kappa(result)
    for r in table:
        at = [line for line in result.ledger("node") if line.place == table.node[r]]
        taken = -_sum((line for line in at if line.term in TAKEN), count) + _arrivals(at, count)
        enters = _sum((line for line in at if line.term not in (*OWN, *RELEASED, *TAKEN)), count) + _arrivals(at, count)
        enters += _sum((line for line in at if line.term in RELEASED and line.values.sum() > 0), count)
        lost = -_sum((line for line in at if line.term in ("evaporation", "evaporation_included")), count)
        own = [p for p in plants if plants.reservoir[p] == r]
        turbine = sum((values.get("turbine", p) for p in own), np.zeros(count))
        energy = sum((values.get("energy", (p, b)) for p in own for b in result.case.book.blocks), np.zeros(count))
        bypass, spill = values.get("bypass", r), values.get("spill", r)
        value = result.water_value(table.node[r])
        for t, start, days in _periods(result):
            yield {
                "reservoir": r, "country": table.country[r], "start": start, "days": days,
                "inflow_m3s": enters[t] / kappa[t], "turbine_m3s": turbine[t], "bypass_m3s": bypass[t],
                "spill_m3s": spill[t], "release_m3s": turbine[t] + bypass[t] + spill[t],
                "withdrawal_m3s": taken[t] / kappa[t], "evaporation_hm3": lost[t],
                "storage_hm3": values.get("storage", r)[t], "elevation_m": result.derived["elevation"][r][t],
                "energy_gwh": energy[t], "water_value_usd_per_m3": value[t],
            }


def _arrivals(at: list[Line], count: int) -> Floats:
    """Return what canals bring: it is also among what is taken, with the other sign."""
    return _sum((line for line in at if line.term in TAKEN and line.values.sum() > 0), count)


def plants(result: Result) -> Iterator[Row]:
    """One row per plant, period and load block."""
    table, projects = (result.case.book.tables[name] for name in ("powerhouse", "project"))
    for p in table:
        built = sum((result.values.get("built", q) for q in projects if projects.asset[q] == p
                     and projects.kind[q] == "powerhouse"), np.zeros(result.values.periods))
        for t, start, days in _periods(result):
            for b in result.case.book.blocks:
                yield {"plant": p, "country": table.country[p], "start": start, "days": days, "block": b,
                       "turbine_m3s": result.values.get("block_turbine", (p, b))[t],
                       "head_m": result.derived["head"][p][t], "energy_gwh": result.values.get("energy", (p, b))[t],
                       "capacity_mw": table.capacity[p] + built[t]}


def reaches(result: Result) -> Iterator[Row]:
    """One row per reach and period."""
    table, kappa = result.case.book.tables["reach"], _kappa(result)
    delays = result.values.keys("in_transit")
    for r in table:
        under_way = sum((result.values.get("in_transit", key) for key in delays if key[0] == r),
                        np.zeros(result.values.periods))
        arrived = _sum((line for line in result.ledger("node", "reach")
                        if line.item == r and line.place == table.destination[r]), result.values.periods)
        for t, start, days in _periods(result):
            yield {"reach": r, "start": start, "days": days,
                   "entered_hm3": kappa[t] * result.values.get("entered", r)[t], "arrived_hm3": arrived[t],
                   "loss_hm3": arrived[t] * table.loss[r] / (1 - table.loss[r]),
                   "in_transit_hm3": under_way[t]}


def nodes(result: Result) -> Iterator[Row]:
    """One row per node, period and term: the ledger; the terms of a node sum to zero."""
    lines = sorted(result.ledger("node"), key=lambda line: (line.place, line.term, str(line.item), line.values.sum()))
    for line in lines:
        for t, start, days in _periods(result):
            yield {"node": line.place, "start": start, "days": days, "term": line.term, "item": line.item,
                   "volume_hm3": line.values[t]}


SITES = (("demand", "site", "requirement", "delivery"), ("gain", "claim", "claim", "claim_taken"))


def deliveries(result: Result) -> Iterator[Row]:
    """One row per demand site or claim and period."""
    for name, kind, asked, given in SITES:
        table, kappa = result.case.book.tables[name], _kappa(result)
        for d in table:
            required, delivered = (kappa * result.values.get(group, d) for group in (asked, given))
            short = _sum_of(result, kappa, name, d)
            marginal = result.values.reduced_cost(asked, d) / kappa
            exists = result.values.exists.get((asked, d), np.zeros(result.values.periods, dtype=bool))
            for t, start, days in _periods(result):
                if exists[t]:
                    yield {"site": d, "kind": kind, "country": table.country[d], "start": start, "days": days,
                           "requirement_hm3": required[t], "delivery_hm3": delivered[t], "shortage_hm3": short[t],
                           "marginal_value_usd_per_m3": marginal[t]}


def _sum_of(result: Result, kappa: Floats, name: str, d: str) -> Floats:
    if name == "gain":
        return kappa * result.values.get("claim_unmet", d)
    steps = range(len(result.case.book.settings["shortage_steps"]))
    return kappa * sum((result.values.get("shortage", (d, s)) for s in steps), np.zeros(result.values.periods))


def energy(result: Result) -> Iterator[Row]:
    """One row per grid, period and load block."""
    table = result.case.book.tables["grid"]
    for g in table:
        for b in result.case.book.blocks:
            amounts = {term: _sum((line for line in result.ledger("grid", term) if line.place == (g, b)),
                                  result.values.periods) for term in
                       ("load", "hydro", "other_hydro", "thermal", "import", "export", "exchange", "unserved")}
            price = result.price(g, b)
            for t, start, days in _periods(result):
                yield {"grid": g, "country": table.country[g], "start": start, "days": days, "block": b,
                       "load_gwh": -amounts["load"][t], "hydro_gwh": amounts["hydro"][t],
                       "other_hydro_gwh": amounts["other_hydro"][t], "thermal_gwh": amounts["thermal"][t],
                       "import_gwh": amounts["import"][t], "export_gwh": -amounts["export"][t],
                       "exchange_gwh": amounts["exchange"][t], "unserved_gwh": amounts["unserved"][t],
                       "price_usd_per_mwh": price[t]}


def links(result: Result) -> Iterator[Row]:
    """One row per link, direction, period and load block."""
    table = result.case.book.tables["link"]
    for k in table:
        ends = (table.origin[k], table.destination[k])
        for name, (a, b), limit in (("sent_forward", ends, table.capacity[k]),
                                    ("sent_back", ends[::-1], table.reverse_capacity[k])):
            for t, start, days in _periods(result):
                for block in result.case.book.blocks:
                    sent = result.values.get(name, (k, block))[t]
                    yield {"link": k, "from": a, "to": b, "start": start, "days": days, "block": block,
                           "sent_gwh": sent, "lost_gwh": table.loss[k] * sent, "limit_mw": limit}


def joint_plant(result: Result) -> Iterator[Row]:
    """One row per jointly owned plant, owner (the host last) and period."""
    owners, plants = (result.case.book.tables[name] for name in ("joint", "powerhouse"))
    blocks = result.case.book.blocks
    for p in sorted({owners.powerhouse[j] for j in owners}):
        energy = sum((result.values.get("energy", (p, b)) for b in blocks), np.zeros(result.values.periods))
        own = [j for j in owners if owners.powerhouse[j] == p]
        for t, start, days in _periods(result):
            for j in own:
                exported = sum(result.values.get("owner_export", (j, b))[t] for b in blocks)
                yield {"plant": p, "owner": owners.owner[j], "start": start, "days": days, "energy_gwh": energy[t],
                       "share": owners.share[j], "exported_gwh": exported,
                       "sold_back_gwh": result.values.get("owner_sold_back", j)[t]}
            yield {"plant": p, "owner": plants.country[p], "start": start, "days": days, "energy_gwh": energy[t],
                   "share": 1 - sum(owners.share[j] for j in own), "exported_gwh": 0.0, "sold_back_gwh": 0.0}


def clauses(result: Result) -> Iterator[Row]:
    """One row per clause and window."""
    for part in result.case.parts:
        if hasattr(part, "report"):
            yield from part.report(result.values, result.case.book.tables[part.NAME], result.case.calendar)


def accounts(result: Result) -> Iterator[Row]:
    """One row per country, item and season."""
    calendar = result.case.calendar
    labels = [f"{year} {season}" for year, season in zip(calendar.hydrological_years, calendar.seasons, strict=True)]
    for country, item, kind in sorted({line.place for line in result.ledger("account")}):
        total = _sum((line for line in result.ledger("account") if line.place == (country, item, kind)), len(labels))
        for season in dict.fromkeys(labels):
            inside = np.array([name == season for name in labels])
            yield {"country": country, "item": item, "kind": kind, "season": season, "musd": total[inside].sum()}


def marginal_values(result: Result) -> Iterator[Row]:
    """One row per input datum and period: what one unit more of it would cost (negative: save), and whom.

    Numbers of tables follow: `input` is table and column, and a number that is the same in all periods has no start.
    """
    calendar, found = result.case.calendar, result.marginals
    names = [f"musd_per_unit_{country}" for country in found.countries]
    for name, key, t in _data(result):
        yield {**_datum(result, name, key, t), "musd_per_unit": result.values.reduced_cost(name, key)[t],
               **dict(zip(names, found.data[name, key][:, t].tolist(), strict=True))}
    for state, least in sorted(result.case.book.closing.items()):
        for key in least if state in result.groups else ():
            if least[key] is not None:
                rate = max(result.values.reduced_cost(state, key)[-1], 0.0)
                yield {"input": f"{state}_closing", "where": _words(key), "start": calendar.end.isoformat(),
                       "value": least[key], "unit": result.groups[state].unit, "musd_per_unit": rate,
                       **dict(zip(names, (found.data[state, key][:, -1] * (rate > 0)).tolist(), strict=True))}
    for number in found.numbers:
        yield {"input": number.input, "where": number.where,
               "start": "" if number.period is None else calendar.starts[number.period].isoformat(),
               "value": number.value, "unit": number.unit, "musd_per_unit": number.musd.sum(),
               **dict(zip(names, number.musd.tolist(), strict=True))}


def _data(result: Result) -> Iterator[tuple[str, Any, int]]:
    """Yield group, id and period of every datum and every opening value that is given, not chosen."""
    for name, group in sorted(result.groups.items()):
        if group.kind in ("datum", "opening"):
            for key in (key for key in group.index if key in group.values):
                for t in np.flatnonzero(result.values.exists[name, key]):
                    yield name, key, int(t)


def _datum(result: Result, name: str, key: Any, t: int) -> Row:
    return {"input": name, "where": _words(key), "start": result.case.calendar.starts[t].isoformat(),
            "value": result.values.get(name, key)[t], "unit": result.groups[name].unit}


def ranging(result: Result) -> Iterator[Row]:
    """One row per input datum and period: left and right derivative of the cost, and up to where each holds."""
    for name, key, t in _data(result):
        found = result.ranging[name, key, t]
        row = _datum(result, name, key, t)
        for word, side in (("left", found.left), ("right", found.right)):
            row |= {f"{word}_musd_per_unit": _known(side.rate), f"{word}_until": _known(side.until),
                    f"{word}_end": side.end, f"{word}_stop": side.stop}
        yield {**row, "kink": "yes" if found.kink else "no"}


def _known(value: float) -> float | str:
    return value if np.isfinite(value) else ""


def _words(key: Any) -> str:
    return "/".join(str(part) for part in key) if isinstance(key, tuple) else str(key)


COLUMNS = {
    "joint_plant": ("plant", "owner", "start", "days", "energy_gwh", "share", "exported_gwh", "sold_back_gwh"),
    "clauses": ("clause", "kind", "sense", "hard", "window", "required", "achieved", "unit", "shortfall",
                "shadow_price_musd_per_unit", "resource"),
}
TABLES: dict[str, Callable[[Result], Iterator[Row]]] = {
    function.__name__: function for function in
    (release_schedule, plants, reaches, nodes, deliveries, energy, links, joint_plant, clauses, accounts,
     marginal_values)
}
