"""Sweeps of a suite: a design is solved, and what its factors move is measured and compared like any quantity.

`effect:factor/output/low` (and `high`) of a design that varies one thing at a time is how far an end of the bar of the
tornado lies from the base run. `index:factor/output/S1` is an index of the other methods. Where a design names several
scenarios, theirs stands first in the id.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wateropt.errors import DataError, InfeasibleError, SolverError
from wateropt.scenario import Case
from wateropt.studies.gate.inputs import (
    SCENARIO,
    SUITE,
    InputChange,
    Place,
    Value,
    changed_back,
    file_of,
    inputs_of,
    source_of,
)
from wateropt.studies.gate.quantities import Quantity, fits, rounded
from wateropt.studies.gate.suite import Asked
from wateropt.studies.gate.tasks import Measured, files_of, keep, size_of
from wateropt.studies.sensitivity.design import checked
from wateropt.studies.sensitivity.effects import effects
from wateropt.studies.sensitivity.engine import NO_SCHEDULE, Runner
from wateropt.studies.sensitivity.plan import Base, Plan, make_plan, schedule, vary, words_of
from wateropt.studies.sensitivity.sweep import header, row_of

LONG = 1_000_000  # runs times periods times assets above which a sweep is not solved again for each input
DESIGN = "design"  # table of the inputs that stand in a design
WORDS = ("title", "name")  # keys of a design that no number depends on
ENDS = ("low", "high")
UNITS = {"musd": "MUSD", "hm3": "hm3", "gwh": "GWh"}
PURE = ("S1", "ST", "regression", "R2")  # indices without a unit


@dataclass(frozen=True)
class SweepTask:
    """A sweep to solve and measure; its plan is not scheduled yet."""

    run: str
    plan: Plan
    path: Path
    asked: tuple[Asked, ...]

    @property
    def cases(self) -> Mapping[str, Case]:
        """The cases that the runs are near to, by name."""
        return {words_of(place): base.case for place, base in self.plan.bases.items()}

    @property
    def size(self) -> int:
        """Runs times periods times assets."""
        return len(self.plan) * max(map(size_of, self.cases.values()))

    def solve(self) -> Measured:
        """Solve all runs, and measure what the factors move."""
        plan = schedule(self.plan, self.path)
        runner, columns = Runner(plan), header(plan)
        rows = [dict(zip(columns, row_of(plan, run, runner.solve(run)), strict=True)) for run in range(len(plan))]
        found = effects(plan, rows)[1]
        every = {name: Quantity(rounded(value), unit) for name, value, unit in _quantities(plan, found)}
        if not every:
            worst = next((row for row in rows if row["reason"]), None)
            code = InfeasibleError.code if worst and worst["status"] == NO_SCHEDULE else SolverError.code
            return Measured(code=code, reason=worst["reason"] if worst else str(found[0].get("note")))
        kept, misses = keep(every, self.asked)
        return Measured(kept, misses, effects=self._watched(found))

    def _watched(self, found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """Return the effects on the first output, in the first scenario, that the suite watches."""
        named = [{**row, "names": names_of(self.plan.design.scenarios, row)} for row in found]
        watched = [row for row in named for name in row["names"] if any(fits(name, asked) for asked in self.asked)]
        first = [(row["output"], row["scenario"]) for row in watched[:1]]
        return [row for row in named if (row["output"], row["scenario"]) in first]

    def inputs(self) -> dict[Place, Value]:
        """Return what the base cases are built from, and the design."""
        found: dict[Place, Value] = {
            place._replace(base=name): value for name, case in self.cases.items()
            for place, value in inputs_of(case).items() if place.table != SUITE}
        content = _content(self.plan)
        factors = content.pop("factors")
        found[Place(DESIGN, "all", "factors")] = ", ".join(factor["name"] for factor in factors)
        for key, part in [("all", content), *((factor["name"], factor) for factor in factors)]:
            found |= {Place(DESIGN, key, word): json.dumps(value) for word, value in part.items() if word not in WORDS}
        for file, digest in self.plan.facts["traces_sha256"].items():
            found[Place(DESIGN, file, "sha256")] = digest
        return found

    def files(self) -> dict[str, str]:
        """Return the design, and the files of its scenarios."""
        found = {file: digest for case in self.cases.values() for file, digest in files_of(case).items()}
        return {**found, self._file: hashlib.sha256(self.path.read_bytes()).hexdigest()}

    @property
    def _file(self) -> str:
        """The design's file with its folder: a scenario may have the same name."""
        return f"{self.path.absolute().parent.name}/{self.path.name}"

    def source(self, place: Place, suite: str) -> tuple[str, Place]:
        """Return the file that an input is edited in, and where it stands there."""
        if place.table == DESIGN:
            return self._file, place
        case = self.cases[place.base]
        return file_of(place, case, suite), source_of(place, case)

    def without(self, group: Sequence[InputChange]) -> SweepTask | None:
        """Return the sweep with some inputs as they were; None for a long one."""
        if self.size > LONG:
            return None
        plan = self._other_design(group) if group[0].place.table == DESIGN else self._other_cases(group)
        return replace(self, plan=plan) if plan else None

    def _other_design(self, group: Sequence[InputChange]) -> Plan | None:
        """Return the plan of the design with some of its keys as they were; None where it is none then."""
        content = _content(self.plan)
        parts = {"all": content, **{factor["name"]: factor for factor in content["factors"]}}
        for change in group:
            if change.place.id not in parts or change.place.column == "factors":
                return None
            if change.added:
                del parts[change.place.id][change.place.column]
            else:
                parts[change.place.id][change.place.column] = json.loads(str(change.old))
        try:
            return make_plan(checked(content, self.path), self.path, scheduled=False)
        except DataError:
            return None

    def _other_cases(self, group: Sequence[InputChange]) -> Plan | None:
        """Return the plan with its base cases as they were; None where one of them cannot be put back."""
        bases = {}
        for place, base in self.plan.bases.items():
            own = [change for change in group if change.place.base == words_of(place)]
            case = changed_back(base.case, own)
            if case is None or not self._stays(case, own):
                return None
            bases[place] = Base(case, None)
        return replace(self.plan, bases=bases)

    def _stays(self, case: Case, group: Sequence[InputChange]) -> bool:
        """Tell whether states at both ends stay put back in the runs: some follow anew from a table that is varied."""
        states = [change for change in group if change.place.table == SCENARIO]
        for factor in self.plan.design.factors if states else ():
            if factor.kind == "table":
                alone = self.plan.design.model_copy(update={"factors": [factor]})
                then = inputs_of(vary(case, alone, (factor.points(2)[-1],), {}))
                if any(then[change.place._replace(base="")] != change.old for change in states):
                    return False
        return True


def _content(plan: Plan) -> dict[str, Any]:
    content: dict[str, Any] = plan.design.model_dump(mode="json", exclude_none=True)
    return content


# ---- quantities ---------------------------------------------------------------------------------------


def names_of(scenarios: Sequence[str], row: Mapping[str, Any]) -> list[str]:
    """Return the names of the quantities that a row of `effects.csv` holds: the two ends, or an index.

    >>> names_of(["dry"], {"scenario": "dry", "factor": "inflow", "output": "objective_musd", "index": "ST"})
    ['index:inflow/objective_musd/ST']
    """
    key = "/".join([*([row["scenario"]] if len(scenarios) > 1 else []), row["factor"], row["output"]])
    return [f"index:{key}/{row['index']}"] if "index" in row else [f"effect:{key}/{end}" for end in ENDS]


def _quantities(plan: Plan, found: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float, str]]:
    """Yield name, value and unit of every effect and index that is a number."""
    base = {factor.name: value for factor, value in zip(plan.design.factors, plan.rows[0], strict=True)}
    for row in found:
        names, unit = names_of(plan.design.scenarios, row), UNITS[row["output"].rpartition("_")[2]]
        if "index" in row:
            values = [row.get("value", math.nan)]
            unit = "1" if row["index"] in PURE else unit
        else:  # an end that is the base run moves nothing
            values = [row[f"output_{end}"] - row["output_base"] if row[end] != base[row["factor"]] else math.nan
                      for end in ENDS]
        yield from ((name, value, unit) for name, value in zip(names, values, strict=True) if math.isfinite(value))
