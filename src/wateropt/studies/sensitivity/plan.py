"""Plans: a checked design with its runs and what they begin at. Worker processes get the plan and nothing else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from wateropt import __version__
from wateropt.calendar import Floats
from wateropt.changes import Change
from wateropt.errors import DataError, InfeasibleError, Problem, SolverError, UsageError, nearest
from wateropt.highs import pack_basis
from wateropt.report.files import scenario_hash
from wateropt.scenario import Case, build_case, load_case, vary_case
from wateropt.solving import LiveCase, Start
from wateropt.studies.sensitivity.design import Design, Factor, Value
from wateropt.studies.sensitivity.outputs import OBJECTIVE, Outputs, chosen
from wateropt.studies.sensitivity.sampling import Row, sample

Place = tuple[str, int | None]  # scenario, hydrological year that replaces its own
Traces = Mapping[str, Mapping[Value, Mapping[str, Floats]]]  # factor -> label -> inflow -> flow by period [m³/s]
SOLVED_WITH = ("highspy", "numpy", "pyomo", "SALib")


@dataclass(frozen=True)
class Base:
    """A case that runs are near to, and where they begin; `start` is None if it has no schedule itself."""

    case: Case
    start: Start | None


@dataclass(frozen=True)
class Plan:
    """A checked design.

    Attributes:
        design: with the labels of its traces filled in.
        rows: values of the factors by run, for one scenario; the runs of all scenarios follow each other.
        bases: what runs begin at.
        traces: read from their files.
        key: the same for the same runs of the same data with the same versions; facts: what it is made of.
        outputs: columns of runs.csv that are kept.
    """

    design: Design
    rows: Sequence[Row]
    bases: Mapping[Place, Base]
    traces: Traces
    key: str
    facts: Mapping[str, Any]
    outputs: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.rows) * len(self.design.scenarios)

    def scenario(self, run: int) -> str:
        """Return the scenario of the design that a run is done for."""
        return self.design.scenarios[run // len(self.rows)]

    def row(self, run: int) -> Row:
        """Return the values of the factors in a run."""
        return self.rows[run % len(self.rows)]

    def place(self, run: int) -> Place:
        """Return the base of a run."""
        return place_of(self.design, self.scenario(run), self.row(run))

    def vary(self, run: int) -> Case:
        """Return the case of a run.

        Raises:
            DataError: its values do not fit the basin together.
        """
        return vary(self.bases[self.place(run)].case, self.design, self.row(run), self.traces)


def place_of(design: Design, scenario: str, row: Row) -> Place:
    """Return which base belongs to the values of a run."""
    said: dict[str, Any] = {f.kind: value for f, value in zip(design.factors, row, strict=True) if f.kind in
                            ("scenario", "hydrology")}
    return said.get("scenario", scenario), said.get("hydrology")


def vary(case: Case, design: Design, row: Row, traces: Traces) -> Case:
    """Return a case with the values of its factors: traces, then changes in the order of the design, then openings.

    Raises:
        DataError: the values do not fit the basin.
    """
    changes: list[Change] = []
    opening: dict[str, dict[str, float]] = {}
    inflow: dict[str, Floats] = {}
    for factor, value in zip(design.factors, row, strict=True):
        if value is None:
            continue
        if factor.kind == "trace":
            inflow |= traces[factor.name][value]
        elif factor.kind == "table":
            changes.append(change_of(factor, value))
        elif factor.kind == "opening":
            _open(case, factor, float(value), opening)
    return vary_case(case, changes, opening, inflow)


def change_of(factor: Factor, value: Value) -> Change:
    """Return what a factor changes in a table or series."""
    assert factor.table
    assert factor.column
    how: dict[str, Any] = {factor.by: value}
    return Change(table=factor.table, column=factor.column, where=factor.where, **how)


def _open(case: Case, factor: Factor, value: float, opening: dict[str, dict[str, float]]) -> None:
    for state, names in (factor.opening or {}).items():
        for name in [names] if isinstance(names, str) else names:
            before = opening.get(state, {}).get(name, case.book.opening[state][name])
            after = {"multiply": before * value, "add": before + value, "set": value}[factor.by]
            opening.setdefault(state, {})[name] = after


# ---- making and checking ------------------------------------------------------------------------------------------


def make_plan(design: Design, path: Path, scheduled: bool = True) -> Plan:
    """Check a design against its scenarios, draw the sample, and solve what the runs begin at.

    Args:
        design: from `read_design`.
        path: its file: scenario files and traces are looked for beside it.
        scheduled: solve the bases (else they have no start: runs begin at nothing).

    Raises:
        DataError: with every problem of the design.
    """
    problems: list[Problem] = []
    cases = _cases(design, path, problems)
    if problems:
        raise DataError(f"design {path.stem}", problems)
    traces, hashes = _traces(design, path, cases, problems)
    labels = {name: list(found) for name, found in traces.items()}
    factors = [f.model_copy(update={"values": f.values or labels[f.name]}) if f.name in labels else f
               for f in design.factors]
    design = design.model_copy(update={"factors": factors})
    for number, factor in enumerate(design.factors):
        for case in cases.values():
            problems += _check_factor(factor, f"factors.{number} ({factor.name})", path.name, case)
    if problems:
        raise DataError(f"design {path.stem}", problems)
    try:
        rows = sample(design)
    except DataError as error:
        raise DataError(f"design {path.stem}", [p._replace(file=path.name) for p in error.problems]) from None
    facts = _facts(design, cases, hashes)
    key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
    plan = Plan(design, rows, {place: Base(case, None) for place, case in cases.items()}, traces, key, facts, ())
    return schedule(plan, path) if scheduled else plan


def schedule(plan: Plan, path: Path) -> Plan:
    """Return a plan with its outputs, and with the schedules that its runs begin at.

    Raises:
        DataError: the design keeps an output that no run has.
    """
    lives = {place: LiveCase(base.case) for place, base in plan.bases.items()}
    names = list(dict.fromkeys([OBJECTIVE, *(n for live in lives.values() for n in Outputs.of(live.horizon).sums)]))
    problems = [Problem(path.name, f"outputs.{number}", f"no output `{pattern}`; {nearest(pattern, names)}")
                for number, pattern in enumerate(plan.design.outputs) if not chosen([pattern], names)]
    if problems:
        raise DataError(f"design {path.stem}", problems)
    bases = {place: Base(live.case, start(live, plan.design.fixed_head)) for place, live in lives.items()}
    return replace(plan, bases=bases, outputs=tuple(chosen(plan.design.outputs, names)))


def _facts(design: Design, cases: Mapping[Place, Case], hashes: Mapping[str, str]) -> dict[str, Any]:
    return {"wateropt": __version__, "design": design.model_dump(mode="json", exclude_none=True),
            "versions": {name: version(name) for name in SOLVED_WITH},
            "scenarios_sha256": {words_of(place): scenario_hash(case) for place, case in cases.items()},
            "inputs_sha256": {name: value for case in cases.values() for name, value in case.basin.hashes.items()},
            "traces_sha256": dict(hashes)}


def words_of(place: Place) -> str:
    """Return the name of a base."""
    return place[0] if place[1] is None else f"{place[0]} with the water of {place[1]}"


def _cases(design: Design, path: Path, problems: list[Problem]) -> dict[Place, Case]:
    """Return the cases that the runs are near to."""
    said = {f.kind: f for f in design.factors if f.kind in ("scenario", "hydrology")}
    for kind in said:
        if sum(f.kind == kind for f in design.factors) > 1:
            problems.append(Problem(path.name, "factors", f"two factors say the {kind}; keep one"))
    if "scenario" in said and len(design.scenarios) > 1:
        problems.append(Problem(path.name, "scenario", "names several, and a factor does too; keep one of the two"))
    names = said["scenario"].scenario if "scenario" in said else design.scenarios
    years = said["hydrology"].hydrology if "hydrology" in said else None
    cases: dict[Place, Case] = {}
    for name in names or ():
        try:
            beside = path.parent / name
            case = load_case(str(beside) if beside.is_file() else name)
            for year in years or [None]:  # type: ignore[list-item]
                cases[name, year] = case if year is None else _with_water_of(case, year)
        except UsageError as error:
            problems.append(Problem(path.name, "scenario", str(error)))
        except DataError as error:
            problems += error.problems
    return cases


def _with_water_of(case: Case, year: int) -> Case:
    return build_case(case.name, case.scenario.model_copy(update={"hydrology": year}), case.unchanged)


def _check_factor(factor: Factor, place: str, file: str, case: Case) -> list[Problem]:
    """Return why a factor cannot take its extreme values in a case."""
    if factor.kind == "opening":
        wrong = _unknown_states(factor, case)
        if wrong:
            return [Problem(file, place, wrong)]
    if factor.kind not in ("table", "opening"):
        return []
    found = []
    for value in dict.fromkeys((factor.points(2)[0], factor.points(2)[-1])):
        alone = Design(scenario=case.name, method="grid", factors=[factor])
        try:
            vary(case, alone, (value,), {})
        except DataError as error:
            at = f" at {value:g}" if isinstance(value, float | int) else ""
            found += [Problem(file, place, problem.message if problem.file == f"{case.name}.yaml"
                              and problem.place.startswith("changes") and "no " in problem.message[:3]
                              else f"{problem.message} ({case.name}{at})") for problem in error.problems]
    return found


def _unknown_states(factor: Factor, case: Case) -> str:
    for state, names in (factor.opening or {}).items():
        settable = {s: list(v) for s, v in case.book.opening.items() if s in ("storage", "release")}
        if state not in settable:
            return f"no state `{state}`; {nearest(state, settable)}"
        for name in [names] if isinstance(names, str) else names:
            if name not in settable[state]:
                return f"no `{name}` has the state {state}; {nearest(name, settable[state])}"
    return ""


def start(live: LiveCase, fixed_head: bool) -> Start | None:
    """Solve a case; return where cases near to it begin, or None if it has no schedule."""
    try:
        solution = live.solve_cost(far=True) if fixed_head else live.solve_head()[0]
        found = Start(live.lp.shape, live.highs.basis(), solution.x, live.path.step, solution.objective)
        found = found if fixed_head else live.start(solution)
    except (InfeasibleError, SolverError):
        return None
    return replace(found, basis=pack_basis(found.basis))


# ---- traces -----------------------------------------------------------------------------------------


def _traces(design: Design, path: Path, cases: Mapping[Place, Case],
            problems: list[Problem]) -> tuple[dict[str, dict[Value, dict[str, Floats]]], dict[str, str]]:
    """Return the traces of all factors that name a file, and the files' hashes."""
    found: dict[str, dict[Value, dict[str, Floats]]] = {}
    hashes: dict[str, str] = {}
    for number, factor in enumerate(design.factors):
        if factor.trace is None:
            continue
        file = Path(factor.trace) if Path(factor.trace).is_absolute() else path.parent / factor.trace
        try:
            hashes[factor.trace] = hashlib.sha256(file.read_bytes()).hexdigest()
            found[factor.name] = _read_traces(file, factor, list(cases.values()))
        except (OSError, ValueError) as error:
            why = f"{file.name} cannot be read: {error}" if isinstance(error, OSError) else f"{file.name}: {error}"
            problems.append(Problem(path.name, f"factors.{number} ({factor.name})", why))
    return found, hashes


def _read_traces(file: Path, factor: Factor, cases: Sequence[Case]) -> dict[Value, dict[str, Floats]]:
    """Return label -> inflow -> flow by period [m³/s].

    Raises:
        ValueError: with what is wrong in the file.
        OSError: it is no NetCDF file.
    """
    import xarray as xr

    with xr.open_dataset(file) as data:
        if factor.variable not in data:
            raise ValueError(f"no variable `{factor.variable}`; {nearest(factor.variable, map(str, data.data_vars))}")
        array = data[factor.variable]
        if set(array.dims) != {"trace", "time", "inflow"}:
            raise ValueError(f"`{factor.variable}` has the dimensions {', '.join(map(str, array.dims))}; trace, time "
                             "and inflow are needed")
        array = array.transpose("trace", "time", "inflow").load()
    names = [str(name) for name in array["inflow"].values]
    labels: list[Value] = [label.item() for label in array["trace"].values]
    starts = [np.datetime64(day, "D").item() for day in array["time"].values]
    flows = np.asarray(array.values, dtype=float)
    for case in cases:
        _check_trace(case, names, starts, flows)
    wanted = factor.values or labels
    unknown = [label for label in wanted if label not in labels]
    if unknown:
        raise ValueError(f"no trace `{unknown[0]}`; {nearest(str(unknown[0]), map(str, labels))}")
    return {label: {name: flows[labels.index(label), :, k] for k, name in enumerate(names)} for label in wanted}


def _check_trace(case: Case, names: Sequence[str], starts: Sequence[Any], flows: Floats) -> None:
    measured = [name for name, whole in case.book.tables["inflow"].share_of.items() if not whole]
    for name in names:
        if name not in measured:
            raise ValueError(f"no inflow `{name}` in {case.name}; {nearest(name, measured)}")
    if list(starts) != list(case.calendar.starts):
        raise ValueError(f"`time` holds {len(starts)} periods from {starts[0] if starts else 'nowhere'}; the "
                         f"{len(case.calendar)} starts of the {case.calendar.step}s of {case.name} from "
                         f"{case.calendar.starts[0]} are needed")
    if not np.isfinite(flows).all() or (flows < 0).any():
        raise ValueError("a flow is negative or missing; give 0 or more everywhere")
