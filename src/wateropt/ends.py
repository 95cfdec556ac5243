"""The two ends of the horizon: what states hold before the first period, and at least after the last."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np

from wateropt.basin import Basin
from wateropt.calendar import FIRST_MONTH, Calendar, Floats, same_day
from wateropt.errors import Problem, nearest
from wateropt.tables import along_calendar, daily
from wateropt.units import HM3_PER_M3S_DAY

Observed = tuple[str, str, str]  # where an observation stands: component, series, column


RULED: dict[str, set[str]] = {"opening": set(), "closing": {"storage", "transit"}}  # what a scenario may always rule


def years_back(first: date, hydrology: int | None) -> int:
    """Return the years from the dates of a scenario to those of the hydrological year whose series it uses.

    >>> years_back(date(2023, 10, 1), 2023), years_back(date(2023, 4, 1), None)
    (1, 0)
    """
    return 0 if hydrology is None else first.year + (first.month >= FIRST_MONTH) - hydrology


@dataclass(frozen=True)
class Ends:
    """What a component may ask about the two ends of the horizon; what is missing goes to `problems`.

    Attributes:
        calendar: the periods.
        basin: where observations stand.
        opening: state -> id -> value that the scenario gives.
        closing: state -> rule (`observed`, `opening`, `free`) or id -> least value.
        years_back: years from the dates of the scenario to those of the series.
        file: name of the scenario's file.
        asked: (end, state, id) of what components have asked for.
    """

    calendar: Calendar
    basin: Basin
    opening: dict[str, dict[str, float]]
    closing: dict[str, str | dict[str, float]]
    years_back: int
    file: str
    problems: list[Problem]
    asked: set[tuple[str, str, str]] = field(default_factory=set)

    def _daily(self, observed: Observed, key: str, first: int, last: int) -> Floats:
        raw = self.basin.series[observed[0]][observed[1]]
        number = [c.name for c in raw.columns].index(observed[2])
        return daily(raw, key, number, first, last, self.years_back)

    def _in_file(self, day: int) -> date:
        """Return a day of the scenario in the dates of the series."""
        return same_day(date.fromordinal(day), self.years_back)

    def value(self, state: str, key: str, observed: Observed) -> float:
        """Return an opening value: the scenario's own, or the one observed on the day before the start."""
        self.asked.add(("opening", state, key))
        given = self.opening.get(state, {})
        if key in given:
            return given[key]
        day = self.calendar.starts[0].toordinal() - 1
        found = float(self._daily(observed, key, day, day + 1)[0])
        if math.isnan(found):
            file = self.basin.series[observed[0]][observed[1]].file
            what = f"{file} has none on {self._in_file(day)}, the day before the start; give a value or add rows"
            self.problems.append(Problem(self.file, f"opening.{state}.{key}", what))
        return found

    def least(self, state: str, key: str, observed: Observed, opening: float) -> float | None:
        """Return the least closing value: the scenario's own number, the observed one, or the opening one."""
        self.asked.add(("closing", state, key))
        rule = self.closing.get(state, "observed")
        if isinstance(rule, dict):
            if key in rule:
                return rule[key]
            rule = "observed"
        if rule == "observed":
            day = self.calendar.end.toordinal() - 1
            found = float(self._daily(observed, key, day, day + 1)[0])
            if not math.isnan(found):
                return found
            file = self.basin.series[observed[0]][observed[1]].file
            what = (f"{file} has none on {self._in_file(day)}, the last day; give `closing: {{{state}: opening}}` or a "
                    "number, or add rows")
            self.problems.append(Problem(self.file, f"closing.{state}.{key}", what))
        return opening if rule == "opening" else None

    def flow_before(self, key: str, observed: Observed, days: float) -> list[float]:
        """Return the flow [m³/s] of each day before the start, as many as `days`; the first one known for unknown."""
        first = self.calendar.starts[0].toordinal()
        span = max(math.ceil(days), 1)
        values = self._daily(observed, key, first - span, self.calendar.end.toordinal())
        known = values[~np.isnan(values)]
        if not len(known):
            file = self.basin.series[observed[0]][observed[1]].file
            self.problems.append(Problem(file, key, f"no flow known before {self.calendar.starts[0]}; add rows"))
            return [0.0]
        return [float(v) for v in np.where(np.isnan(values[:span]), known[0], values[:span])]

    def transit_left(self, key: str, observed: Observed, days: float, before: list[float]) -> float | None:
        """Return the least volume in transit at the end [hm³]: as observed, or as at the start."""
        self.asked.add(("closing", "transit", ""))
        rule = self.closing.get("transit", "observed")
        if rule == "free":
            return None
        span = max(math.ceil(days), 1)
        raw = self.basin.series[observed[0]][observed[1]]
        number = [c.name for c in raw.columns].index(observed[2])
        means = along_calendar(raw, key, number, self.calendar, self.years_back)
        flow = np.repeat(means, self.calendar.days.astype(int))[-span:]
        if rule != "observed" or np.isnan(flow).any():
            flow = np.full(span, float(np.mean(before)))
        still_under_way = np.clip(days + 1 - np.arange(span, 0, -1), 0.0, 1.0)
        return float(still_under_way @ flow) * HM3_PER_M3S_DAY

    def unasked(self) -> Iterator[Problem]:
        """Yield what the scenario gives and no component has asked for: it would have no effect."""
        for end, given in (("opening", self.opening), ("closing", self.closing)):
            states = sorted({state for e, state, _ in self.asked if e == end} | RULED[end])
            for state, values in given.items():
                keys = [key for e, s, key in self.asked if (e, s) == (end, state) and key]
                if state not in states:
                    yield Problem(self.file, f"{end}.{state}", f"no state `{state}`; {nearest(state, states)}")
                elif isinstance(values, dict):
                    yield from (Problem(self.file, f"{end}.{state}", f"no `{key}` has this state; {nearest(key, keys)}")
                                for key in values if key not in keys)
