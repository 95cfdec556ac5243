"""Suite: a YAML file that says which scenarios and sweeps are run again and how far which quantities may move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from wateropt.basin import read_yaml
from wateropt.changes import Strict, strictly
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.scenario import Case, find_scenario, load_cases
from wateropt.studies.gate.quantities import KINDS, SWEPT
from wateropt.studies.sensitivity.design import find_design, read_design
from wateropt.studies.sensitivity.plan import Plan, make_plan

BASELINE = ".baseline.json"


class Asked(Strict):
    """A row of `quantities`: which quantities are compared, and how far they may move.

    Attributes:
        quantity: kind, one of `quantities.KINDS`, or of a sweep one of `quantities.SWEPT`.
        which: ids, with `*` for any words; one without `@` names no single period.
        absolute: movement that is allowed [the quantity's unit].
        relative: movement that is allowed besides, as a share of the baseline's value [1].
    """

    quantity: str
    which: str = "*"
    absolute: float = Field(default=0.0, ge=0)
    relative: float = Field(default=0.0, ge=0)

    def allowed(self, value: float) -> float:
        """Return how far a quantity may move from a value."""
        return self.absolute + self.relative * abs(value)


class Run(Strict):
    """A row of `runs`: a scenario and how it is solved.

    Attributes:
        scenario: a file, by its path from the suite, or a shipped name.
        name: of the run; by itself the scenario's, with what is special about the run.
        fixed_head: one LP with the head of a straight storage path.
        hold: `observed`, or a CSV file by its path from the suite, whose releases are held.
        quantities: rows that hold for this run besides the suite's; the last that fits a quantity rules.
    """

    scenario: str
    name: str = ""
    fixed_head: bool = False
    hold: str = ""
    quantities: tuple[Asked, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("name") and isinstance(values.get("scenario"), str):
            words = [Path(values["scenario"]).stem, "fixed-head" if values.get("fixed_head") else "",
                     "held" if values.get("hold") else ""]
            return {**values, "name": "-".join(filter(None, words))}
        return values


class Sweep(Strict):
    """A row of `designs`: a sweep.

    Attributes:
        design: a file, by its path from the suite, or a shipped name.
        name: of the sweep; by itself the file's.
        quantities: rows that hold for this sweep besides the suite's; the last that fits a quantity rules.
    """

    design: str
    name: str = ""
    quantities: tuple[Asked, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _named(cls, values: Any) -> Any:
        if isinstance(values, dict) and not values.get("name") and isinstance(values.get("design"), str):
            return {**values, "name": Path(values["design"]).stem}
        return values


class Suite(Strict):
    """A suite file."""

    title: str
    meaning: str = ""
    runs: tuple[Run, ...] = ()
    designs: tuple[Sweep, ...] = ()
    quantities: tuple[Asked, ...] = ()

    @property
    def rows(self) -> list[tuple[str, Run | Sweep]]:
        """The runs and sweeps, each with its place in the file."""
        return [*((f"runs.{k}", run) for k, run in enumerate(self.runs)),
                *((f"designs.{k}", sweep) for k, sweep in enumerate(self.designs))]

    def asked(self, row: Run | Sweep) -> tuple[Asked, ...]:
        """Return the rows that hold for a run or sweep; the last that fits a quantity rules."""
        return tuple(asked for asked in (*self.quantities, *row.quantities) if asked.quantity in kinds_of(row))


def kinds_of(row: Run | Sweep) -> Collection[str]:
    """Return the kinds of quantities that a run, or a sweep, has."""
    return KINDS if isinstance(row, Run) else SWEPT


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        DataError: with every problem of the file.
    """
    problems: list[Problem] = []
    content, subject = read_yaml(path, problems), f"suite {path.stem}"
    if problems:
        raise DataError(subject, problems)
    suite = strictly(Suite, content, subject, path.name)
    if found := [*_problems(suite, path)]:
        raise DataError(subject, found)
    return suite


def _problems(suite: Suite, path: Path) -> Iterator[Problem]:
    """Yield what is wrong with the names in a suite."""
    if not suite.rows:
        yield Problem(path.name, "", "names nothing to run; add `runs` or `designs`")
    names = Counter(row.name for _, row in suite.rows)
    for place, row in suite.rows:
        if names[row.name] > 1:
            yield Problem(path.name, f"{place}.name", f"two runs are called `{row.name}`; give one of them a `name`")
        if not any(suite.asked(row)):
            kinds = ", ".join(f"`{kind}`" for kind in kinds_of(row))
            yield Problem(path.name, place, f"compares nothing; add `quantities`, of {kinds}")
        try:
            file_of(row, path)
        except UsageError as error:
            yield Problem(path.name, f"{place}.{'scenario' if isinstance(row, Run) else 'design'}", str(error))
    for place, asked, known in asked_rows(suite):
        if asked.quantity not in known:
            hint = nearest(asked.quantity, known)
            yield Problem(path.name, f"{place}.quantity", f"no quantity `{asked.quantity}`; {hint}")


def asked_rows(suite: Suite) -> list[tuple[str, Asked, Collection[str]]]:
    """Return every row of `quantities` with its place in the file, and the kinds that there may be."""
    rows: list[tuple[str, tuple[Asked, ...], Collection[str]]] = [("", suite.quantities, [*KINDS, *SWEPT])]
    rows += [(f"{place}.", row.quantities, kinds_of(row)) for place, row in suite.rows]
    return [(f"{place}quantities.{number}", asked, kinds) for place, own, kinds in rows
            for number, asked in enumerate(own)]


def file_of(row: Run | Sweep, path: Path) -> Path:
    """Return the file of a run's scenario or a sweep's design: beside the suite, or a shipped one.

    Raises:
        UsageError: there is no such file.
    """
    name, find = (row.scenario, find_scenario) if isinstance(row, Run) else (row.design, find_design)
    beside = path.parent / name
    return beside if beside.is_file() else find(name)


def hold_source(run: Run, path: Path) -> str:
    """Return what `hold.held` takes for a run: a word, or a file by its path from the suite."""
    return run.hold if run.hold in ("", "observed") else str(path.parent / run.hold)


def load_runs(suite: Suite, path: Path) -> tuple[Mapping[str, Case], Mapping[str, Plan]]:
    """Return the case of each run, and the plan of each sweep.

    Raises:
        DataError: with the problems of all scenarios, basins and designs.
    """
    files = {row.name: file_of(row, path) for _, row in suite.rows}
    unique = list(dict.fromkeys(str(files[run.name]) for run in suite.runs))
    wrong: list[DataError] = []
    cases: list[Case] = []
    plans: dict[str, Plan] = {}
    try:
        cases = load_cases(unique)
    except DataError as error:
        wrong.append(error)
    for sweep in suite.designs:
        try:
            plans[sweep.name] = make_plan(read_design(files[sweep.name]), files[sweep.name], scheduled=False)
        except DataError as error:
            wrong.append(error)
    if wrong:
        subjects = " and ".join(dict.fromkeys(error.subject for error in wrong))
        raise DataError(subjects, [problem for error in wrong for problem in error.problems])
    found = dict(zip(unique, cases, strict=True))
    return {run.name: found[str(files[run.name])] for run in suite.runs}, plans
