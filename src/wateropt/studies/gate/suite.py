"""Suite: a YAML file that says which scenarios are run again and how far which quantities may move."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from wateropt.basin import read_yaml
from wateropt.changes import Strict
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.scenario import Case, find_scenario, load_cases
from wateropt.studies.gate.quantities import KINDS

BASELINE = ".baseline.json"


class Asked(Strict):
    """A row of `quantities`: which quantities are compared, and how far they may move.

    Attributes:
        quantity: kind, one of `quantities.KINDS`.
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


class Suite(Strict):
    """A suite file."""

    title: str
    meaning: str = ""
    runs: tuple[Run, ...] = Field(min_length=1)
    quantities: tuple[Asked, ...] = ()

    def asked(self, run: Run) -> tuple[Asked, ...]:
        """Return the rows that hold for a run; the last that fits a quantity rules."""
        return (*self.quantities, *run.quantities)


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises:
        DataError: with every problem of the file.
    """
    problems: list[Problem] = []
    content = read_yaml(path, problems)
    if problems:
        raise DataError(f"suite {path.stem}", problems)
    try:
        suite = Suite.model_validate(content)
    except ValidationError as error:
        raise DataError(f"suite {path.stem}", [_explain(path.name, part) for part in error.errors()]) from None
    problems = [*_problems(suite, path)]
    if problems:
        raise DataError(f"suite {path.stem}", problems)
    return suite


def _explain(file: str, error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        rows = [part for part in error["loc"][:-1] if isinstance(part, str)]
        model: Any = {"runs": Run, "quantities": Asked}[rows[-1]] if rows else Suite
        return Problem(file, place, f"unknown key; {nearest(str(error['loc'][-1]), model.model_fields)}")
    if error["type"] == "missing":
        return Problem(file, place, "is missing; add it")
    return Problem(file, place, f"is `{error['input']}`; {error['msg'].lower()}")


def _problems(suite: Suite, path: Path) -> Sequence[Problem]:
    """Return what is wrong with the names in a suite."""
    found = []
    names = Counter(run.name for run in suite.runs)
    for number, run in enumerate(suite.runs):
        if names[run.name] > 1:
            what = f"two runs are called `{run.name}`; give one of them a `name`"
            found.append(Problem(path.name, f"runs.{number}.name", what))
        if not any(suite.asked(run)):
            found.append(Problem(path.name, f"runs.{number}", "compares nothing; add `quantities`"))
        try:
            scenario_file(run, path)
        except UsageError as error:
            found.append(Problem(path.name, f"runs.{number}.scenario", str(error)))
    for place, asked in asked_rows(suite):
        if asked.quantity not in KINDS:
            what = f"no quantity `{asked.quantity}`; {nearest(asked.quantity, KINDS)}"
            found.append(Problem(path.name, f"{place}.quantity", what))
    return found


def asked_rows(suite: Suite) -> Sequence[tuple[str, Asked]]:
    """Return every row of `quantities` with its place in the file."""
    rows = [(f"quantities.{number}", asked) for number, asked in enumerate(suite.quantities)]
    return rows + [(f"runs.{k}.quantities.{number}", asked) for k, run in enumerate(suite.runs)
                   for number, asked in enumerate(run.quantities)]


def scenario_file(run: Run, path: Path) -> Path:
    """Return the file of a run's scenario: beside the suite, or a shipped one.

    Raises:
        UsageError: there is no such scenario.
    """
    beside = path.parent / run.scenario
    return beside if beside.is_file() else find_scenario(run.scenario)


def hold_source(run: Run, path: Path) -> str:
    """Return what `hold.held` takes for a run: a word, or a file by its path from the suite."""
    return run.hold if run.hold in ("", "observed") else str(path.parent / run.hold)


def load_runs(suite: Suite, path: Path) -> Mapping[str, Case]:
    """Return the case of each run.

    Raises:
        DataError: with the problems of all scenarios and basins.
    """
    files = {run.name: str(scenario_file(run, path)) for run in suite.runs}
    unique = list(dict.fromkeys(files.values()))
    cases = dict(zip(unique, load_cases(unique), strict=True))
    return {name: cases[file] for name, file in files.items()}
