"""Make the dated water tables of data/basins/naryn-syrdarya from the dekad aggregates in data/sources.

Run from the repository root, with wateropt installed:

    python tools/reconstruct/naryn_syrdarya.py

Reads the static tables of the basin and four source tables: `syrdarya_dekads_2022_2024.csv` (bulletins),
`assumed_operation_2022_2024.csv` (what nobody published), `chirchik_mouth_share.csv` and `kazakh_requirements.csv`.
Writes `inflow_flow`, `gain_flow`, the `*_observed` tables, `demand_requirement`, `sea_target` and `corrections` by
what is in river.py: the same bytes from the same inputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
from river import (
    BASIN,
    GAUGED,
    GUESSED,
    SOURCES,
    History,
    Label,
    Rows,
    Series,
    canal_losses,
    read,
    source_columns,
    tables,
    write_tables,
)

from wateropt.calendar import Calendar, Floats

STATE_PERIOD = date(2022, 3, 21)  # holds the state before the first bulletin
LAST_DAY = date(2024, 9, 30)
MADE = Label("ksmake", "reconstructed", "tools/reconstruct/naryn_syrdarya.py")
LABELS = {
    ("gain_flow", "arys"): Label("bse_arys", "assumed"),
    ("inflow_flow", "charvak"): Label("ksmake", "reconstructed"),
    ("reservoir_observed", "koksaray"): Label("kaspi_info", "assumed"),
    ("canal_observed", "dostyk"): Label("ktkz_2024", "assumed"),
    ("canal_observed", "arnasay"): Label("kaspi_info", "assumed"),
    ("canal_observed", "koksaray_intake"): Label("kaspi_info", "assumed"),
    ("sea_target", "aral"): Label("astanatimes_2024", "assumed"),
    ("sea_target", "arnasay"): Label("values", "assumed"),
}


def label(table: str, name: str, _: date) -> Label:
    """Return what a row says of itself."""
    if table == "reach_observed":
        confidence = "measured" if name in GAUGED else "assumed" if name in GUESSED else "reconstructed"
        return Label("ksmake", confidence)
    return LABELS.get((table, name), MADE if table == "gain_flow" else Label("ksmake", "measured"))


def filled_uch_kurgan(calendar: Calendar, bulletin: Series) -> Floats:
    """Return the release of Uch-Kurgan [m3/s], filled where the bulletins stop (December 2023).

    Filled with the release of Toktogul plus what joined between the two in the same dekad of the latest year that
    has it.
    """
    release = bulletin["uch_kurgan_release"].copy()
    joined = release - bulletin["toktogul_release"]
    where = {day: t for t, day in enumerate(calendar.starts)}
    for t in np.flatnonzero(np.isnan(release)):
        day = calendar.starts[t]
        years = (
            where.get(day.replace(year=year)) for year in range(day.year - 1, calendar.starts[0].year - 1, -1)
        )
        joined[t] = next(joined[s] for s in years if s is not None and not np.isnan(joined[s]))
        release[t] = bulletin["toktogul_release"][t] + joined[t]
    return np.round(release, 3)


def requirement_rows(calendar: Calendar, canal_flow: Mapping[str, Floats]) -> Rows:
    """Return demand_requirement: the profiles, raised in proportion where a canal in fact brought more.

    Args:
        canal_flow: what arrived at the end of the canal [m3/s] by node of the demands.
    """
    node = {row["demand"]: row["node"] for row in read(BASIN / "demand.csv")}
    profiles = read(SOURCES / "kazakh_requirements.csv")
    total: dict[tuple[str, str], float] = {}
    for row in profiles:
        key = (node[row["demand"]], row["month"])
        total[key] = total.get(key, 0.0) + float(row["requirement_m3s"])
    rows: Rows = []
    for row in profiles:
        value, note, where = float(row["requirement_m3s"]), row["note"], node[row["demand"]]
        if where in canal_flow and value:
            seen = float(canal_flow[where][calendar.months == int(row["month"])].max())
            needed = total[where, row["month"]]
            if seen > needed:
                raised = np.ceil(value * seen / needed * 1000 - 1e-6) / 1000
                note = f"{note}; raised from {value:g} so that the sites of the canal take its largest dekad"
                value = raised
        rows.append([row["demand"], row["month"], f"{value:.3f}", row["source"], row["confidence"], note])
    return rows


def history_2022_2024() -> History:
    """Return the operation of April 2022 to September 2024."""
    calendar = Calendar.between(STATE_PERIOD, LAST_DAY, "dekad")
    bulletin = source_columns("syrdarya_dekads_2022_2024.csv", calendar)
    bulletin["uch_kurgan_release"] = filled_uch_kurgan(calendar, bulletin)
    assumed = source_columns("assumed_operation_2022_2024.csv", calendar)
    return History(calendar, bulletin, assumed, label, float(assumed["koksaray_opening"][0]))


def main() -> None:
    """Write every dated water table of the basin."""
    history = history_2022_2024()
    loss = canal_losses()
    brought = {
        "dostyk": history.flows[0]["dostyk"] * (1 - loss["dostyk"]),
        "kyzylkum": history.bulletin["kyzylkum"] * (1 - loss["kyzylkum"]),
    }
    write_tables(BASIN, tables(history), {"demand_requirement": requirement_rows(history.calendar, brought)})


if __name__ == "__main__":
    main()
