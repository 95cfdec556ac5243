"""Calendar: months and dekads, hydrological years, seasons, and how long water travels between periods.

A *dekad* is days 1-10, 11-20 or 21-end of a month. A *hydrological year* runs from 1 October to
30 September and is named after the year it ends in. The *growing season* is April to September.
"""

from __future__ import annotations

from calendar import isleap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

GROWING_MONTHS = range(4, 10)
FIRST_MONTH = 10  # of a hydrological year

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def next_start(day: date, step: str) -> date:
    """Return the first day of the period after the one that `day` lies in.

    >>> next_start(date(2024, 2, 21), "dekad"), next_start(date(2024, 12, 5), "month")
    (datetime.date(2024, 3, 1), datetime.date(2025, 1, 1))
    """
    if step == "dekad" and day.day <= 20:
        return day.replace(day=11 if day.day <= 10 else 21)
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)


def is_start(day: date, step: str) -> bool:
    """Tell whether a period of this step begins on `day`."""
    return day.day == 1 or (step == "dekad" and day.day in (11, 21))


def same_day(day: date, years_back: int) -> date:
    """Return the same day of the calendar some years earlier; of 29 February, where there is none, the 28th.

    >>> same_day(date(2024, 2, 29), 1), same_day(date(2023, 3, 1), -1)
    (datetime.date(2023, 2, 28), datetime.date(2024, 3, 1))
    """
    if (day.month, day.day) == (2, 29) and not isleap(day.year - years_back):
        return date(day.year - years_back, 2, 28)
    return day.replace(year=day.year - years_back)


@dataclass(frozen=True)
class Calendar:
    """Consecutive periods.

    Attributes:
        starts: first day of each period.
        step: "dekad" or "month".

    >>> calendar = Calendar.between(date(2022, 10, 1), date(2023, 9, 30), "dekad")
    >>> len(calendar), calendar.days[:3].tolist()
    (36, [10.0, 10.0, 11.0])
    """

    starts: tuple[date, ...]
    step: str

    @classmethod
    def between(cls, first: date, last: date, step: str) -> Calendar:
        """Return the periods from `first` (a period's first day) to `last` (a period's last day).

        Raises:
            ValueError: the dates are not a whole number of periods.
        """
        if last < first:
            raise ValueError(f"{first} to {last} runs backwards; exchange the two")
        if not is_start(first, step):
            raise ValueError(f"{first} is not the first day of a {step}; {next_start(first, step)} is the next one")
        starts, day = [], first
        while day <= last:
            starts.append(day)
            day = next_start(day, step)
        if day != last + timedelta(days=1):
            ends = [edge - timedelta(days=1) for edge in (*starts[-1:], day)][first == starts[-1]:]
            raise ValueError(f"{last} is not the last day of a {step}; "
                             f"{' or '.join(map(str, ends))} is")
        return cls(tuple(starts), step)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def end(self) -> date:
        """First day after the last period."""
        return next_start(self.starts[-1], self.step)

    @cached_property
    def days(self) -> Floats:
        """Length of each period [day], shape (period,)."""
        edges = [*self.starts, self.end]
        return np.array([(b - a).days for a, b in pairwise(edges)], dtype=float)

    @cached_property
    def months(self) -> npt.NDArray[np.int64]:
        """Calendar month of each period, 1-12, shape (period,)."""
        return np.array([day.month for day in self.starts])

    @cached_property
    def seasons(self) -> tuple[str, ...]:
        """Season of each period: `growing` (April-September) or `non-growing`."""
        return tuple("growing" if m in GROWING_MONTHS else "non-growing" for m in self.months)

    @cached_property
    def hydrological_years(self) -> npt.NDArray[np.int64]:
        """Hydrological year of each period, shape (period,)."""
        return np.array([day.year + (day.month >= FIRST_MONTH) for day in self.starts])

    def extended(self, count: int) -> Calendar:
        """Return this calendar with `count` more periods after its end."""
        starts = list(self.starts)
        for _ in range(count):
            starts.append(next_start(starts[-1], self.step))
        return Calendar(tuple(starts), self.step)

    def edges(self) -> Floats:
        """Begin of each period and the end of the last one [day since the start], shape (period + 1,)."""
        return np.concatenate([[0.0], np.cumsum(self.days)])


def in_months(months: npt.NDArray[np.int64], first: int, last: int) -> npt.NDArray[np.bool_]:
    """Tell which months lie in the window from `first` to `last`, which may pass the turn of the year.

    >>> in_months(np.array([11, 12, 1, 4]), 12, 3).tolist()
    [False, True, True, False]
    """
    if first <= last:
        return (months >= first) & (months <= last)
    return (months >= first) | (months <= last)


def windows(calendar: Calendar, first: float, last: float) -> tuple[Mask, Mask, Mask]:
    """Return, by period: in the window, first of a window, last of a window (each bool, shape (period,)).

    A window from a month to the month before it is a whole year; it begins anew with its first month.
    """
    inside = in_months(calendar.months, int(first), int(last))
    starts = np.array([day.day == 1 and day.month == int(first) for day in calendar.starts])
    begins = inside & (starts | ~np.concatenate([[False], inside[:-1]]))
    ends = inside & (~np.concatenate([inside[1:], [False]]) | np.append(begins[1:], True))
    return inside, begins, ends


def window_days(day: date, first: int, last: int) -> int:
    """Return the length in days of the window from month `first` to `last` that a day lies in.

    >>> window_days(date(2024, 1, 11), 10, 3), window_days(date(2022, 12, 1), 10, 3)
    (183, 182)
    """
    year = day.year - (day.month < first)
    after = first + (last - first) % 12  # months from January of that year to the end of the window
    return (date(year + after // 12, after % 12 + 1, 1) - date(year, first, 1)).days


def spans(calendar: Calendar, first: float, last: float) -> Iterator[tuple[int, int, str]]:
    """Yield each window as its first period, its last period, and its first and last day in words.

    >>> year = Calendar.between(date(2022, 10, 1), date(2023, 9, 30), "month")
    >>> list(spans(year, 4, 9))
    [(6, 11, '2023-04-01/2023-09-30')]
    """
    _, begins, ends = windows(calendar, first, last)
    for end in np.flatnonzero(ends).tolist():
        begin = int(np.flatnonzero(begins[: end + 1]).max())
        last_day = calendar.starts[end] + timedelta(days=int(calendar.days[end]) - 1)
        yield begin, end, f"{calendar.starts[begin]}/{last_day}"


def coverage(calendar: Calendar, first: float, last: float) -> Floats:
    """Return which share of the whole window the horizon covers, for the window that ends in each period."""
    inside, begins, _ = windows(calendar, first, last)
    days, share = 0.0, np.zeros(len(calendar))
    for t in range(len(calendar)):
        days = (0.0 if begins[t] else days) + inside[t] * calendar.days[t]
        share[t] = days / window_days(calendar.starts[t], int(first), int(last))
    return share


def overlap(begin: Floats, end: Floats, edges: Floats) -> Floats:
    """Return by how many days each interval [begin, end) overlaps each period, shape (interval, period)."""
    low = np.maximum(begin[:, None], edges[None, :-1])
    high = np.minimum(end[:, None], edges[None, 1:])
    days: Floats = np.maximum(high - low, 0.0)
    return days


def travel_shares(calendar: Calendar, travel_days: Floats) -> Floats:
    """Return which share of the water that enters a reach in period t arrives in period t + j.

    The water enters evenly over its period and is shifted by the travel time of that period.

    Args:
        calendar: the periods.
        travel_days: travel time of the water that enters in each period [day], shape (period,), >= 0.

    Returns:
        Shares [1], shape (period, delay + 1); each row sums to 1.

    >>> month = Calendar.between(date(2023, 4, 1), date(2023, 4, 30), "dekad")
    >>> travel_shares(month, np.array([2.0, 2.0, 2.0])).tolist()
    [[0.8, 0.2], [0.8, 0.2], [0.8, 0.2]]
    """
    return _travel_shares(calendar, tuple(np.asarray(travel_days, dtype=float).tolist()))


@lru_cache(maxsize=256)  # variants of a case ask for the same ones again and again
def _travel_shares(calendar: Calendar, travel: tuple[float, ...]) -> Floats:
    travel_days, shortest = np.array(travel), 8 if calendar.step == "dekad" else 28
    longest = int(np.ceil(travel_days.max(initial=0.0) / shortest)) + 1
    edges = calendar.extended(longest).edges()
    count = len(calendar)
    days = overlap(edges[:count] + travel_days, edges[1 : count + 1] + travel_days, edges)
    window = np.arange(count)[:, None] + np.arange(longest + 1)[None, :]
    shares: Floats = days[np.arange(count)[:, None], window] / calendar.days[:, None]
    delay = int(np.flatnonzero(shares.any(axis=0)).max())
    shares.flags.writeable = False
    return shares[:, : delay + 1]


def water_in_transit(calendar: Calendar, daily_flow: Sequence[float], travel_days: float) -> Floats:
    """Return what is under way at the start of the calendar, by the period in which it arrives.

    Args:
        calendar: the periods.
        daily_flow: flow that entered on the days before the start [m³/s], the last day last; if shorter
            than the travel time, its first value stands for the days before.
        travel_days: travel time [day].

    Returns:
        Mean arriving volume divided by κ of one day, i.e. Σ flow·days [m³/s·day], shape (period,);
        periods beyond the calendar are added so that nothing is lost.

    >>> month = Calendar.between(date(2023, 4, 1), date(2023, 4, 30), "dekad")
    >>> water_in_transit(month, [100.0], 12.0)[:2].tolist()
    [1000.0, 200.0]
    """
    span = int(np.ceil(travel_days))
    edges = calendar.extended(int(span // 8) + 2).edges()
    if not span:
        return np.zeros(len(edges) - 1)
    flow = np.concatenate([np.full(max(span - len(daily_flow), 0), daily_flow[0]), daily_flow])[-span:]
    begin = np.arange(-span, 0, dtype=float) + travel_days
    arrived: Floats = flow @ overlap(np.maximum(begin, 0.0), begin + 1.0, edges)
    return arrived
