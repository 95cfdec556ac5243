"""Fill the gauges that nobody published in a year, from the lakes and the mean gains of 2022-2024.

What a gauge of the river pipeline (river.py) needs and no source has, follows from the gauge above and the mean gain of
the same dekad of the year, but for two that the lakes below tell: the Akjar gauge brings what the storage, release and
evaporation of Kairakkum say must have arrived, the Kokbulak gauge the same for Shardara. So the gains `fergana_akjar`
and `middle_syrdarya` carry what the years differ by, and the closures of the two lakes are zero.
"""

from __future__ import annotations

from datetime import date

import numpy as np
from river import (
    BASIN,
    Series,
    canal_losses,
    column,
    evaporations,
    koksaray_storage,
    lake_closure,
    mouth_shares,
    reaches,
    read,
)

from wateropt.calendar import Calendar, Floats
from wateropt.units import HM3_PER_M3S_DAY

SYSTEM_YEAR = (date(2022, 10, 1), date(2023, 9, 30))  # the year whose canals, targets and loads other years are given
MEAN_YEARS = (date(2022, 4, 1), date(2024, 9, 30))
LEAST = {"uchtepe": 48.8, "kal": 154.5}  # lowest dekads of 2022-2024 [m3/s]
TOWNS = 3.0  # m3/s at Kyzylorda
# m3/s that history leaves in the river under ice below Koksaray: it carries 620, but monthly means must fit too.
ICE_LIMIT, ICE_MONTHS = 605.0, (12, 1, 2)

Profile = dict[tuple[int, int], float]  # (month, dekad 0..2) -> value


def dekad(day: date) -> tuple[int, int]:
    """Return the month and the dekad of a day, the latter from 0.

    >>> dekad(date(2008, 2, 29))
    (2, 2)
    """
    return day.month, min((day.day - 1) // 10, 2)


def profile(table: str, name: str, value: str, span: tuple[date, date] = MEAN_YEARS) -> Profile:
    """Return the mean of a dated series of the basin by dekad of the year, over the rows that begin in a span."""
    found: dict[tuple[int, int], list[float]] = {}
    for row in read(BASIN / f"{table}.csv"):
        day = date.fromisoformat(row["start"])
        if next(iter(row.values())) == name and span[0] <= day <= span[1]:
            found.setdefault(dekad(day), []).append(float(row[value]))
    return {key: float(np.mean(values)) for key, values in found.items()}


def along(calendar: Calendar, values: Profile) -> Floats:
    """Return a profile along a calendar, shape (period,)."""
    return np.array([values[dekad(day)] for day in calendar.starts])


def mean_gains(calendar: Calendar) -> Series:
    """Return the mean gains of 2022-2024 by dekad of the year [m3/s], along a calendar."""
    names = [row["gain"] for row in read(BASIN / "gain.csv")]
    return {name: along(calendar, profile("gain_flow", name, "flow_m3s")) for name in names}


def least_flows(calendar: Calendar, name: str) -> Floats:
    """Return a practised minimum flow [m3/s], shape (period,)."""
    rows = [row for row in read(BASIN / "instream_target.csv") if row["instream"] == name]
    targets = dict(zip([int(row["month"]) for row in rows], column(rows, "target_m3s"), strict=True))
    return np.array([targets[int(month)] for month in calendar.months])


def system_of_2023(calendar: Calendar) -> tuple[Floats, Series]:
    """Return the Kyzylkum canal [m3/s], and what nobody publishes, as in the hydrological year 2023.

    Nothing is spilled to the Arnasay, and Koksaray stays empty; `pass_the_weirs` says what it takes.
    """
    nothing = np.zeros(len(calendar))
    dostyk = along(calendar, profile("canal_observed", "dostyk", "flow_m3s", SYSTEM_YEAR))
    assumed = {
        "dostyk_border": dostyk * (1 - canal_losses()["dostyk"]),
        "arys": along(calendar, profile("gain_flow", "arys", "flow_m3s", SYSTEM_YEAR)),
        "kyzylorda_pass": along(calendar, profile("reach_observed", "kyzylorda_aral", "entered_m3s", SYSTEM_YEAR)),
        **dict.fromkeys(("arnasay", "koksaray_intake", "koksaray_release"), nothing),
    }
    kyzylkum = along(calendar, profile("canal_observed", "kyzylkum", "flow_m3s", SYSTEM_YEAR))
    return np.round(kyzylkum, 3), assumed


def arrival(calendar: Calendar, lakes: Series, lake: str) -> Floats:
    """Return what must have joined a lake [m3/s] by its storages, release and evaporation, shape (period,).

    The first period, which holds the state before, repeats the second.
    """
    air = evaporations(calendar)[lake].volume(calendar, lakes[f"{lake}_storage"])
    nothing = np.zeros(len(calendar))
    joined = lake_closure(calendar, lakes[f"{lake}_storage"], nothing, lakes[f"{lake}_release"], air)
    return np.concatenate([joined[:1], joined])


def expected_gauges(calendar: Calendar, lakes: Series, assumed: Series, gains: Series) -> Series:
    """Return `lakes` and every other gauge [m3/s], from the gauge above and the gains, no less than was ever practised.

    Args:
        lakes: `..._release` of toktogul, andijan, charvak, kairakkum; of keles, ugam, gazalkent and chirchik_mouth
            what is known.
        assumed: `dostyk_border`.
        gains: gains [m3/s] by name, each of shape (period,).
    """
    lines, found = reaches(), dict(lakes)

    def arrives(name: str, flow: Floats) -> Floats:
        return lines[name].arrivals(calendar, flow)

    for name in ("keles", "ugam"):
        found.setdefault(name, along(calendar, profile("inflow_flow", name, "flow_m3s")))
    naryn = found["toktogul_release"] + gains["cascade"]
    found["uch_kurgan_release"] = np.maximum(naryn, least_flows(calendar, "naryn_uch_kurgan"))
    karadarya = arrives("andijan_uchtepe", found["andijan_release"]) + gains["lower_karadarya"]
    found["uchtepe"] = np.maximum(karadarya, LEAST["uchtepe"])
    joined = arrives("naryn_kal", found["uch_kurgan_release"]) + arrives("uchtepe_kal", found["uchtepe"])
    found["kal"] = np.maximum(joined + gains["fergana_kal"], LEAST["kal"])
    found["akjar"] = np.maximum(arrives("kal_akjar", found["kal"]) + gains["fergana_akjar"], 0.0)
    chirchik = arrives("charvak_gazalkent", found["charvak_release"]) + found["ugam"] + gains["upper_chirchik"]
    found.setdefault("gazalkent", chirchik)
    found["gazalkent"] = np.maximum(found["gazalkent"], least_flows(calendar, "gazalkent"))
    mouth = found.get("chirchik_mouth", mouth_shares(calendar) * arrives("gazalkent_mouth", found["gazalkent"]))
    below = arrives("kairakkum_farkhad", found["kairakkum_release"])
    below = below - assumed["dostyk_border"] / (1 - canal_losses()["dostyk"])
    middle = arrives("farkhad_kokbulak", below) + arrives("mouth_kokbulak", mouth) + gains["middle_syrdarya"]
    found["kokbulak"] = np.maximum(middle, least_flows(calendar, "kokbulak"))
    return found


def fill_gauges(calendar: Calendar, lakes: Series, assumed: Series) -> Series:
    """Return every gauge that the river pipeline needs [m3/s], rounded to three digits.

    Args:
        lakes: `..._release` [m3/s] and `..._storage` [hm3] of the five lakes, `..._inflow` of toktogul and andijan,
            `kyzylkum`; of keles, ugam, gazalkent and chirchik_mouth what is known. The first period holds the state
            before.
        assumed: `dostyk_border` and `arnasay` [m3/s].
    """
    found = expected_gauges(calendar, lakes, assumed, mean_gains(calendar))
    lines = reaches()
    kairakkum = arrival(calendar, lakes, "kairakkum")
    found["akjar"] = lines["akjar_kairakkum"].entering(calendar, kairakkum, 0.0)
    shardara = arrival(calendar, lakes, "shardara") + lakes["kyzylkum"] + assumed["arnasay"] - found["keles"]
    least = least_flows(calendar, "kokbulak")
    found["kokbulak"] = lines["kokbulak_shardara"].entering(calendar, shardara, least)
    return {name: np.round(flow, 3) for name, flow in found.items()}


def pass_the_weirs(calendar: Calendar, shardara_release: Floats, assumed: Series) -> Series:
    """Return `assumed` with what Koksaray takes and gives, and what passes Kyzylorda for the sea [m3/s].

    In these years' history Koksaray takes only what the river under ice below it could not carry, and gives it back
    in June. Kyzylorda passes on what it did in 2023, but no more than comes, less its towns.
    """
    lines, found = reaches(), dict(assumed)
    head = lines["shardara_koksaray"].arrivals(calendar, shardara_release)

    def under_ice() -> tuple[Floats, Floats]:
        """Return the flow below Koksaray and below the Arys."""
        below = head + found["koksaray_release"] - found["koksaray_intake"]
        arys = lines["koksaray_arys"].arrivals(calendar, below) + found["arys"]
        return below, arys

    icy = np.isin(calendar.months, ICE_MONTHS)
    over = np.ones(len(calendar))
    while over.any():  # what goes round the weir also slows the water of the next period
        over = np.where(icy, np.maximum(np.maximum(*under_ice()) - ICE_LIMIT, 0.0), 0.0)
        found["koksaray_intake"] = np.ceil((found["koksaray_intake"] + over) * 1000) / 1000
    found["koksaray_release"] = june_release(calendar, found["koksaray_intake"])
    arrived = lines["arys_kyzylorda"].arrivals(calendar, under_ice()[1])
    found["kyzylorda_pass"] = np.minimum(found["kyzylorda_pass"], np.maximum(arrived - TOWNS, 0.0))
    return found


def june_release(calendar: Calendar, intake: Floats) -> Floats:
    """Return the release of Koksaray [m3/s] that empties it from 11 to 30 June.

    So late in a month, a replay by months, which sees a mean storage only, does not run out of water.
    """
    air, release = evaporations(calendar)["koksaray"], np.zeros(len(calendar))
    for t in range(1, len(calendar)):
        part = {(6, 1): 0.5, (6, 2): 1.0}.get(dekad(calendar.starts[t]), 0.0)
        if part:
            full = koksaray_storage(calendar, 0.0, intake, release, air)
            flow = part * full[t] / (calendar.days[t] * HM3_PER_M3S_DAY)
            release[t] = np.floor(1000 * 0.999 * flow) / 1000
    return release
