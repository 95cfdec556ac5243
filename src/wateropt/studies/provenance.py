"""Provenance: where the numbers of a basin come from, and which uncertain ones move a result most.

The second question is asked by solving the result's case again with each number at both ends of its stated range and
everything else as it is: each solve starts from the basis and along the head path of the case itself.
"""

from __future__ import annotations

import csv
import json
import multiprocessing
import textwrap
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from wateropt.basin import basin_folders, load_basin
from wateropt.changes import Change, change_targets
from wateropt.errors import DataError, InfeasibleError, Problem, SolverError, UsageError
from wateropt.report.files import scenario_hash
from wateropt.scenario import Case, load_case
from wateropt.solving import LiveCase, Start
from wateropt.tables import CONFIDENCES

SHORT = 90  # characters of a citation in a list
NO_DATA = ("references", "provenance")  # tables about numbers
NOISE = 1e-5  # relative movement of the objective that the head's iterations may leave
LOW, HIGH = 0, 1
NOT_IN_LP = "not in the LP of this horizon"
NOT_TABLES = {"basin.yaml": "a setting of the basin, no table", "scenario": "a setting of a scenario, no table",
              "data": "an input of a reconstruction; the tables made from it have ranges of their own"}


# ---- what stands in the tables -------------------------------------------------------------------------


class TableSources(NamedTuple):
    """Where the rows of a table come from.

    Attributes:
        folder, table: the basin's folder, or an included one, and the file without its ending.
        rows: their number.
        confidence: confidence -> number of rows; "" for rows that state none.
        sources: keys of the folder's references, the most used first.
    """

    folder: str
    table: str
    rows: int
    confidence: dict[str, int]
    sources: tuple[str, ...]


def table_sources(folder: Path) -> list[TableSources]:
    """Return where the rows of each table of a basin come from, those of included folders first."""
    found = []
    for place in basin_folders(folder):
        for path in sorted(place.glob("*.csv")):
            if path.stem not in NO_DATA:
                rows = _rows(path)
                counts = Counter(row.get("confidence", "") for row in rows)
                keys = Counter(row["source"] for row in rows if row.get("source"))
                ordered = tuple(sorted(keys, key=lambda key: (-keys[key], key)))
                each = {name: counts[name] for name in (*CONFIDENCES, "") if counts[name]}
                found.append(TableSources(place.name, path.stem, len(rows), each, ordered))
    return found


def citations(folder: Path) -> dict[str, dict[str, str]]:
    """Return folder -> key -> shortened citation of a basin and what it includes."""
    return {place.name: {row["key"]: textwrap.shorten(row["citation"], SHORT, placeholder=" ...")
                         for row in _rows(place / "references.csv")} for place in basin_folders(folder)}


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- which numbers have a range --------------------------------------------------------------------------


@dataclass(frozen=True)
class Range:
    """A stated range of a number: a row of provenance.csv.

    Attributes:
        table, id, column: where the number stands.
        confidence: of the number.
        low, high: the ends, values or factors of the value.
        kind: "value" or "factor".
    """

    table: str
    id: str
    column: str
    confidence: str
    low: float
    high: float
    kind: str

    def end(self, which: int) -> float:
        """Return one end: LOW or HIGH."""
        return self.high if which else self.low

    def change(self, which: int) -> Change:
        """Return the change of the basin that sets the number to one end."""
        where: dict[str, Any] = {change_targets()[self.table].component: self.id}
        what = {"multiply" if self.kind == "factor" else "set": self.end(which)}
        return Change(table=self.table, column=self.column, where=where, **what)


class Effect(NamedTuple):
    """What a range does to a result.

    Attributes:
        range: the range.
        value: least and greatest value of the number in the case; None if it has none.
        low, high: objective [MUSD] at the ends; None where there is none.
        swing: largest difference between the objectives at the ends and that of the case [MUSD]; None if unknown.
        reason: why an objective is missing or nothing moved, else empty.
    """

    range: Range
    value: tuple[float, float] | None
    low: float | None
    high: float | None
    swing: float | None
    reason: str


def ranges(folder: Path) -> list[Range]:
    """Return the ranges that a basin and what it includes state; a later folder's replaces an earlier one's."""
    found = {}
    for place in basin_folders(folder):
        for row in _rows(place / "provenance.csv"):
            one = Range(row["table"], row["id"], row["column"], row["confidence"], float(row["low"]),
                        float(row["high"]), row["range_kind"])
            found[one.table, one.id, one.column] = one
    return [found[key] for key in sorted(found)]


def why_not(one: Range, case: Case) -> str:
    """Return why a number cannot be varied in a case, or ""."""
    first = one.table.split(" ")[0].split("/")[0]
    targets = change_targets()
    reason = NOT_TABLES.get(first, "")
    if not reason and one.table.endswith("_observed"):
        reason = "observed, no input of the optimization; only states at the ends follow it"
    if not reason and one.table not in targets:
        reason = "points of a curve" if one.table.endswith("_level") else "no table that a scenario can change"
    if not reason and one.low == one.high:
        reason = "the range is a single value"
    if not reason and value_of(one, case) is None:
        reason = "the cell is empty, or no row of the case has this id"
    return reason


def value_of(one: Range, case: Case) -> tuple[float, float] | None:
    """Return the least and the greatest value that the number has in a case."""
    target = change_targets().get(one.table)
    name = next((c.name for c in target.columns if one.column in (c.name, c.header)), "") if target else ""
    if target is None or not name:
        return None
    book = case.book
    columns = book.series[target.component] if target.is_series else book.tables[target.component].columns
    own = [np.ravel(value) for key, value in columns.get(name, {}).items()
           if (key if isinstance(key, str) else key[0]) == one.id and value is not None]
    values = np.concatenate(own) if own else np.array([])
    values = values[~np.isnan(values)]
    return (float(values.min()), float(values.max())) if len(values) else None


# ---- the case of a result ----------------------------------------------------------------------------------


def case_of(result: Path, scenario: str = "") -> tuple[Case, dict[str, Any]]:
    """Return the case that a result is of, and what its summary says.

    Args:
        result: a folder that `solve` wrote.
        scenario: the scenario's file, if it is no shipped one.

    Raises:
        UsageError: there is no such scenario, or the result cannot be solved again.
        DataError: the folder holds no result, or its input has changed since.
    """
    facts = _summary(result)
    if facts["held"]:
        raise UsageError(f"{result} holds releases fixed (--hold); give a result whose releases were free")
    try:
        case = load_case(scenario or facts["scenario"])
    except UsageError as error:
        raise UsageError(f"{error}; {result} is of `{facts['scenario']}`, give its file with --scenario") from None
    was, now = facts["inputs_sha256"], dict(case.basin.hashes)
    problems = [Problem(name, "", "has changed since the result was written; solve again")
                for name in sorted({*was, *now}) if was.get(name) != now.get(name)]
    if scenario_hash(case) != facts["scenario_sha256"]:
        problems.append(Problem(f"{case.name}.yaml", "", "says something else than when the result was written; solve "
                                "again, or give the right file with --scenario"))
    if problems:
        raise DataError(str(result), problems)
    return case, facts


def _summary(result: Path) -> dict[str, Any]:
    try:
        facts = json.loads((result / "summary.json").read_text(encoding="utf-8"))
        if {"wateropt", "scenario", "held", "fixed_head", "inputs_sha256", "scenario_sha256"} <= set(facts):
            return dict(facts)
    except (OSError, TypeError, ValueError):
        pass
    raise DataError(str(result), [Problem("summary.json", "", "is not there or is not wateropt's; give a folder that "
                                          "`solve` wrote")])


def check_basin(folder: Path, case: Case) -> None:
    """Refuse a basin that is no part of a case.

    Raises:
        UsageError: the case is of another basin.
    """
    own, those = load_basin(folder).hashes, case.basin.hashes
    if own != those and own["basin.yaml"] != those.get(f"{folder.name}/basin.yaml"):
        raise UsageError(f"the result is of the basin `{case.basin.name}`, of which `{folder.name}` is no part")


# ---- varying -----------------------------------------------------------------------------------------------


class Solver:
    """Solves a case, and the same case with one number changed, from where the case itself ended.

    Attributes:
        objective: of the case [MUSD].
    """

    def __init__(self, case: Case, fixed_head: bool) -> None:
        live = LiveCase(case)
        self.case, self.fixed_head, self._lp = case, fixed_head, live.horizon.lp()
        solution = live.solve_cost() if fixed_head else live.solve_head()[0]
        if fixed_head:
            self._start = Start(live.lp.shape, live.highs.basis(), solution.x, live.path.step, solution.objective)
        else:
            self._start = live.start(solution)
        self.objective = self._start.objective

    def objective_with(self, change: Change) -> tuple[float | None, str]:
        """Return the objective [MUSD] of the case with a change, and why there is none or it is the same."""
        try:
            live = LiveCase(self.case.with_change(change))
            if live.lp.is_like(self._lp):
                return self.objective, NOT_IN_LP
            solution, settled = self._solve(live, self._start)
        except InfeasibleError as error:
            return None, "no schedule: " + " ".join(str(error).split())
        except DataError as error:
            return None, error.problems[0].message
        except SolverError as error:
            return None, str(error)
        return solution.objective, "" if settled else "head not settled"

    def _solve(self, live: LiveCase, start: Start) -> tuple[Any, bool]:
        return (live.solve_from(start), True) if self.fixed_head else live.solve_near(start)


_solver: list[Solver] = []  # of a worker process


def _open_solver(scenario: str, fixed_head: bool) -> None:
    _solver.append(Solver(load_case(scenario), fixed_head))


def _solve_both(one: Range) -> list[tuple[float | None, str]]:
    return [_solver[0].objective_with(one.change(which)) for which in (LOW, HIGH)]


def effects(case: Case, scenario: str, found: Iterable[Range], *, fixed_head: bool = False, workers: int = 2,
            tell: Callable[[int, int], None] = lambda _done, _of: None) -> tuple[float, list[Effect]]:
    """Return the objective of a case and what each range does to it, the largest swing first.

    Args:
        case: the case.
        scenario: its scenario, a shipped name or a file: worker processes load it themselves.
        found: the ranges.
        fixed_head: solve one LP with the head of a straight storage path, as the result was.
        workers: processes that solve; with one, none is started.
        tell: called with the ranges done and their number.
    """
    reasons = {one: why_not(one, case) for one in found}
    asked = [one for one, reason in reasons.items() if not reason]
    solver = Solver(case, fixed_head)
    done: dict[Range, list[tuple[float | None, str]]] = {}
    for one, ends in _solved(solver, scenario, asked, fixed_head, workers):
        done[one] = ends
        tell(len(done), len(asked))
    listed = [_effect(one, case, solver.objective, done[one]) if one in done
              else Effect(one, value_of(one, case), None, None, None, reason) for one, reason in reasons.items()]
    return solver.objective, sorted(listed, key=_rank)


def _solved(solver: Solver, scenario: str, asked: list[Range], fixed_head: bool,
            workers: int) -> Iterator[tuple[Range, list[tuple[float | None, str]]]]:
    if workers <= 1:
        for one in asked:
            yield one, [solver.objective_with(one.change(which)) for which in (LOW, HIGH)]
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _open_solver, (scenario, fixed_head)) as pool:
        waiting = {pool.submit(_solve_both, one): one for one in asked}
        for future in as_completed(waiting):
            yield waiting[future], future.result()


def _effect(one: Range, case: Case, base: float, ends: list[tuple[float | None, str]]) -> Effect:
    known = [base, *(objective for objective, _ in ends if objective is not None)]
    noise = NOISE * max(abs(base), 1.0)
    swing = max(known) - min(known)
    reasons = _reasons([why for _, why in ends])
    missing = any(objective is None for objective, _ in ends)
    moved = swing if swing > noise else 0.0
    if not reasons and not moved:
        reasons = ["nothing binds"]
    return Effect(one, value_of(one, case), ends[LOW][0], ends[HIGH][0],
                  None if missing and len(known) == 1 else moved, "; ".join(reasons))


def _reasons(ends: list[str]) -> list[str]:
    """Return why the objectives at the two ends are missing or those of the case."""
    if ends[LOW] == ends[HIGH]:
        return [ends[LOW]] if ends[LOW] else []
    return [f"{name}: {'is the value itself' if why == NOT_IN_LP else why}"
            for name, why in zip(("low", "high"), ends, strict=True) if why]


def _rank(effect: Effect) -> tuple[float, str, str, str]:
    swing = -1.0 if effect.swing is None else effect.swing
    return -swing, effect.range.table, effect.range.id, effect.range.column


def unvaried(found: Iterable[Effect]) -> Mapping[str, int]:
    """Return reason -> number of the ranges without a swing."""
    return Counter(effect.reason for effect in found if effect.swing is None)
