"""The likely course of years of which only single storages and sums were published.

The measured years give a mean dekad of inflow, release and storage at every lake, and how they vary together. What is
known of another year (a storage on a day, the mean flow of a month, a sum over several inflows) is a linear function of
its dekads with an error of its own. The conditional mean of jointly normal variables is then the middle estimate, and
the conditional covariance says how far off it may be. The lakes stay in one piece: a dry Naryn makes a dry Karadarya
as likely as it was in the measured years.

    run = Run(calendar, sample())       # the first period is the state before the run
    run.know(run.storage("toktogul", date(2021, 4, 12)), 8569, 30)
    course = run.likely()               # series of flows [m3/s] and closing storages [hm3]
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from river import BASIN, SOURCES, Series, evaporations, read, source_columns
from years_2001_2010 import STATE_PERIOD, mended, table_of_lakes

from wateropt.calendar import Calendar, Floats
from wateropt.units import HM3_PER_M3S_DAY

# One row of the sample for each dekad of the year and each of these; other flows of the lakes follow.
VARIABLES = (
    *("toktogul_inflow", "toktogul_release", "andijan_inflow", "andijan_storage", "charvak_inflow"),
    *("charvak_storage", "kairakkum_storage", "kairakkum_release", "shardara_storage", "shardara_release"),
)
# What follows: flow = known flow + sign x change of storage.
DERIVED = {
    "andijan_release": ("andijan_inflow", "andijan_storage", -1),
    "charvak_release": ("charvak_inflow", "charvak_storage", -1),
    "kairakkum_arrival": ("kairakkum_release", "kairakkum_storage", 1),
    "shardara_arrival": ("shardara_release", "shardara_storage", 1),
}
LAKES = ("toktogul", "andijan", "charvak", "kairakkum", "shardara")
MEASURED = (*range(2002, 2011), 2023, 2024)  # hydrological years with all dekads

SHARED = 0.7  # share of the covariance that is the sample's; the rest fades with time within one variable
FADING = 6.0  # dekads over which that rest falls to 1/e
OPENING = (14000.0, 4000.0)  # Toktogul at the start of a run, before anything is known: mean, deviation [hm3]
PINNED, INSIDE = 0.2, 1.0  # a bound that would be crossed is kept: deviation, and how far inside [m3/s or hm3]
DEKADS = 36
# No flow falls below this, nor below 0.8 of the least ever measured in its dekad [m3/s].
LEAST = {"toktogul_inflow": 0.0, "andijan_inflow": 0.0, "charvak_inflow": 0.0,
         "kairakkum_arrival": 100.0, "shardara_arrival": 85.0}


def dekad_of_year(day: date) -> int:
    """Return 0 for the first dekad of October to 35 for the last of September."""
    return (day.month - 10) % 12 * 3 + min((day.day - 1) // 10, 2)


def year_of(day: date) -> int:
    """Return the hydrological year of a day."""
    return day.year + (day.month >= 10)


def measured() -> list[tuple[Calendar, Series]]:
    """Return everything measured by dekad: the periods (the first holds the state before) and the lakes' series."""
    old = Calendar.between(STATE_PERIOD, date(2010, 9, 30), "dekad")
    new = Calendar.between(date(2022, 3, 21), date(2024, 9, 30), "dekad")
    bulletins = source_columns("syrdarya_dekads_2022_2024.csv", new)
    return [(old, lake_series(old, mended(old, table_of_lakes(old)))), (new, lake_series(new, bulletins))]


def lake_series(calendar: Calendar, columns: Mapping[str, Floats]) -> Series:
    """Return the variables of a measured history; what does not close is recomputed from storages.

    Toktogul's release and Charvak's inflow are what closes their balance (a misprint of April 2001, and bulletins that
    miss part of the spring); the first period has no change of storage and repeats the second.
    """
    kappa = calendar.days * HM3_PER_M3S_DAY
    change = {lake: np.diff(columns[f"{lake}_storage"]) / kappa[1:] for lake in LAKES}
    air = evaporations(calendar)["charvak"].volume(calendar, columns["charvak_storage"]) / kappa[1:]
    result = {name: columns[name] for name in VARIABLES if name in columns}
    result["toktogul_storage"] = columns["toktogul_storage"]
    closing = columns["toktogul_inflow"][1:] - change["toktogul"]
    result["toktogul_release"] = np.concatenate([closing[:1], closing])
    closing = columns["charvak_release"][1:] + change["charvak"] + air
    result["charvak_inflow"] = np.concatenate([closing[:1], closing])
    for name, (flow, storage, sign) in DERIVED.items():
        lake = storage.removesuffix("_storage")
        closing = result[flow][1:] + sign * change[lake]
        result[name] = np.concatenate([closing[:1], closing])
    return result


@dataclass(frozen=True)
class Sample:
    """Dekads of the measured years.

    Attributes:
        years: their hydrological years.
        values: name -> shape (year, 36); the variables and what is derived from them.
    """

    years: tuple[int, ...]
    values: dict[str, Floats]

    def without(self, *years: int) -> Sample:
        """Return the sample without some years."""
        keep = [k for k, year in enumerate(self.years) if year not in years]
        return Sample(tuple(self.years[k] for k in keep), {name: v[keep] for name, v in self.values.items()})

    def mean(self, name: str) -> Floats:
        """Return the mean dekads of a series, shape (36,)."""
        return np.asarray(self.values[name].mean(axis=0))

    def deviation(self, name: str) -> Floats:
        """Return the standard deviation of the dekads of a series, shape (36,)."""
        return np.asarray(self.values[name].std(axis=0, ddof=1))


def sample() -> Sample:
    """Return the measured hydrological years."""
    names = (*VARIABLES, *DERIVED, "toktogul_storage")
    values = {name: np.zeros((len(MEASURED), DEKADS)) for name in names}
    for calendar, series in measured():
        for t, day in enumerate(calendar.starts):
            if year_of(day) in MEASURED:
                for name in names:
                    values[name][MEASURED.index(year_of(day)), dekad_of_year(day)] = series[name][t]
    return Sample(MEASURED, values)


def limits() -> dict[str, tuple[float, float]]:
    """Return bounds: storages between minimum and full, releases above the least one [hm3 or m3/s]."""
    result: dict[str, tuple[float, float]] = {}
    for row in read(BASIN / "reservoir.csv"):
        lake = row["reservoir"]
        if lake in LAKES:
            result[f"{lake}_storage"] = (float(row["minimum_storage_hm3"]), float(row["full_storage_hm3"]))
            result[f"{lake}_release"] = (float(row["minimum_release_m3s"]), np.inf)
    return result


@dataclass
class Run:
    """Consecutive dekads of which little is known; the first one holds the state before.

    Attributes:
        calendar: the dekads.
        sample: the measured years.
        facts: rows of (coefficients, shape (column,); value; standard deviation).
    """

    calendar: Calendar
    sample: Sample
    facts: list[tuple[Floats, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Join the years: where one ends, no flow may jump because two storages are estimated apart."""
        for name in DERIVED:
            for t in range(1, len(self.calendar)):
                if self.dekads[t] == 0:
                    likely, spread = self.sample.mean(name)[0], self.sample.deviation(name)[0]
                    self.know(self.flow(name)[t], float(likely), float(spread))

    @property
    def size(self) -> int:
        """Number of unknowns: the variables in each dekad, and Toktogul's storage at the start."""
        return len(VARIABLES) * len(self.calendar) + 1

    @property
    def kappa(self) -> Floats:
        """Volume of 1 m3/s in each dekad [hm3]."""
        return np.asarray(self.calendar.days * HM3_PER_M3S_DAY)

    @property
    def dekads(self) -> list[int]:
        """Dekad of the year of each period."""
        return [dekad_of_year(day) for day in self.calendar.starts]

    def flow(self, name: str) -> Floats:
        """Return the coefficients of a series, shape (period, unknown)."""
        count = len(self.calendar)
        rows = np.zeros((count, self.size))
        if name in VARIABLES:
            first = VARIABLES.index(name) * count
            rows[:, first : first + count] = np.eye(count)
        elif name == "toktogul_storage":
            balance = (self.flow("toktogul_inflow") - self.flow("toktogul_release")) * self.kappa[:, None]
            balance[0] = 0.0
            rows = np.cumsum(balance, axis=0)
            rows[:, -1] = 1.0
        else:
            known, storage, sign = DERIVED[name]
            rows = self.flow(known)
            rows[1:] += sign * np.diff(self.flow(storage), axis=0) / self.kappa[1:, None]
        return rows

    def storage(self, lake: str, day: date) -> Floats:
        """Return the coefficients of a storage read on the morning of a day, shape (unknown,)."""
        rows = self.flow(f"{lake}_storage")
        t = max(k for k, start in enumerate(self.calendar.starts) if start <= day)
        part = (day - self.calendar.starts[t]).days / self.calendar.days[t]
        return np.asarray(rows[t] if t == 0 else (1 - part) * rows[t - 1] + part * rows[t])

    def volume(self, name: str, first: date, last: date) -> Floats:
        """Return the coefficients of the volume [hm3] of a flow, both days included, shape (unknown,)."""
        days = np.zeros(len(self.calendar))
        for t, start in enumerate(self.calendar.starts):
            end = start + timedelta(days=int(self.calendar.days[t]) - 1)
            days[t] = max(0, (min(end, last) - max(start, first)).days + 1)
        return np.asarray(days * HM3_PER_M3S_DAY @ self.flow(name))

    def know(self, coefficients: Floats, value: float, deviation: float) -> None:
        """Add something known: coefficients of the unknowns, shape (unknown,), its value and standard deviation."""
        self.facts.append((coefficients, value, deviation))

    def expected(self) -> Floats:
        """Return the mean of the unknowns before anything is known, shape (unknown,)."""
        mean = [self.sample.mean(name)[self.dekads] for name in VARIABLES]
        return np.concatenate([*mean, [OPENING[0]]])

    def covariance(self) -> Floats:
        """Return the covariance of the unknowns before anything is known, shape (unknown, unknown).

        Most is the sample's, year by year; the rest fades with time within one variable, so that what the few measured
        years never did is still possible.
        """
        count = len(self.calendar)
        spread = np.concatenate([self.sample.deviation(name)[self.dekads] for name in VARIABLES])
        away = np.concatenate([self.sample.values[name] - self.sample.mean(name) for name in VARIABLES], axis=1)
        index = np.concatenate([k * DEKADS + np.array(self.dekads) for k in range(len(VARIABLES))])
        years = np.tile([year_of(day) for day in self.calendar.starts], len(VARIABLES))
        variable = np.repeat(np.arange(len(VARIABLES)), count)
        time = np.tile(np.arange(count), len(VARIABLES))
        together = away.T @ away / (len(self.sample.years) - 1)
        shared = together[np.ix_(index, index)] * (years[:, None] == years)
        fading = np.exp(-np.abs(time[:, None] - time) / FADING) * (variable[:, None] == variable)
        result = np.zeros((self.size, self.size))
        result[:-1, :-1] = SHARED * shared + (1 - SHARED) * np.outer(spread, spread) * fading
        result[-1, -1] = OPENING[1] ** 2
        return result

    def given(self) -> tuple[Floats, Floats]:
        """Return mean and covariance of the unknowns after all that is known."""
        mean, covariance = self.expected(), self.covariance()
        rows = np.array([row for row, _, _ in self.facts])
        missed = np.array([value for _, value, _ in self.facts]) - rows @ mean
        noise = np.diag([deviation**2 for _, _, deviation in self.facts])
        gain = np.linalg.solve(rows @ covariance @ rows.T + noise, rows @ covariance).T
        return mean + gain @ missed, covariance - gain @ rows @ covariance

    def bounds(self) -> list[tuple[Floats, Floats, Floats]]:
        """Return (coefficients, lowest, highest) of each series that has bounds, all by period."""
        none = np.full(len(self.calendar), np.inf)
        found = [(self.flow(name), low + 0 * none.clip(max=0), np.minimum(high, none))
                 for name, (low, high) in limits().items()]
        for name, floor in LEAST.items():
            least = 0.8 * self.sample.values[name].min(axis=0)[self.dekads]
            found.append((self.flow(name), np.maximum(least, floor), none))
        return found

    def likely(self) -> Series:
        """Return the middle estimate of every series; what would cross a bound is kept at it."""
        bounds = self.bounds()
        for _ in range(60):
            mean, _ = self.given()
            crossed = 0
            for rows, low, high in bounds:
                values = rows @ mean
                for t in np.flatnonzero((values < low) | (values > high)):
                    kept = float(np.clip(values[t], low[t] + INSIDE, high[t] - INSIDE))
                    self.know(rows[t], kept, PINNED)
                    crossed += 1
            if not crossed:
                break
        names = (*VARIABLES, *DERIVED, "toktogul_storage")
        return {name: np.asarray(self.flow(name) @ mean) for name in names}

    def spread(self, coefficients: Floats) -> float:
        """Return the standard deviation of a linear function of the unknowns after all that is known."""
        _, covariance = self.given()
        return float(np.sqrt(coefficients @ covariance @ coefficients))


def month_factors(sample_: Sample, digitised: Mapping[tuple[int, int], float]) -> Floats:
    """Return measured over digitised inflow of Toktogul by calendar month, 12 factors, January first.

    The digitised series is another service's and runs above the bulletins. Each factor is the ratio of sums over the
    months of the sample's years, pulled halfway to the ratio of all months, as five values are few.
    """
    seen: dict[int, list[tuple[float, float]]] = {month: [] for month in range(1, 13)}
    for (year, month), flow in digitised.items():
        of_year = year + (month >= 10)
        if of_year in sample_.years and of_year <= 2010:
            first = (month - 10) % 12 * 3
            row = sample_.values["toktogul_inflow"][sample_.years.index(of_year)]
            seen[month].append((float(row[first : first + 3].mean()), flow))
    pairs = [pair for month in seen.values() for pair in month]
    all_months = sum(a for a, _ in pairs) / sum(b for _, b in pairs)
    own = np.array([sum(a for a, _ in seen[m]) / sum(b for _, b in seen[m]) for m in range(1, 13)])
    return np.asarray((own + all_months) / 2)


def digitised_months() -> dict[tuple[int, int], float]:
    """Return the digitised inflow of Toktogul by (year, month) [m3/s]."""
    rows = read(SOURCES / "toktogul_inflow_months_2005_2016.csv")
    return {(int(row["month"][:4]), int(row["month"][5:])): float(row["inflow_m3s"]) for row in rows}
