"""Designs: a YAML file that says what is varied, between which values, and by which method."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from wateropt.basin import read_yaml
from wateropt.changes import Strict, strictly
from wateropt.errors import DataError, Problem, UsageError, nearest
from wateropt.shipped import shipped

Value = float | int | str | None  # of a factor in a run; None: as it is in the scenario
KINDS = ("table", "opening", "scenario", "hydrology", "trace")
CHOSEN = ("scenario", "hydrology", "trace")  # kinds whose values are alternatives, not numbers
NAME = re.compile(r"[a-z][a-z0-9_]*")
TAKEN = ("run", "scenario", "status", "reason")  # columns of runs.csv
MOST_RUNS = 1_000_000


class Factor(Strict):
    """One thing that is varied. Exactly one of table, opening, scenario, hydrology and trace says what.

    Attributes:
        name: column in runs.csv.
        table, column, where: as in the changes of a scenario.
        opening: state -> id or ids whose opening value is meant.
        scenario, hydrology: alternatives, the first is that of the base run.
        trace: NetCDF file with inflows, dims trace, time and inflow; `variable` is the variable's name.
        by: what a number does to the datum.
        range: lowest and highest number; values: the only ones (of a trace: labels of `trace`).
    """

    name: str
    table: str | None = None
    column: str | None = None
    where: dict[str, str | int | list[str | int]] = Field(default_factory=dict)
    opening: dict[str, str | list[str]] | None = None
    scenario: list[str] | None = None
    hydrology: list[int] | None = None
    trace: str | None = None
    variable: str = "flow"
    by: Literal["multiply", "add", "set"] = "multiply"
    range: tuple[float, float] | None = None
    values: list[float | int | str] | None = None

    @property
    def kind(self) -> str:
        """Which of the kinds it is."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def levels(self) -> list[Any] | None:
        """The only values that it takes; None if any number in its range."""
        if self.kind in ("scenario", "hydrology"):
            return list(getattr(self, self.kind))
        return self.values

    @property
    def base(self) -> Value:
        """Its value in the base run: None is as it is."""
        if self.kind in CHOSEN:
            return self.levels[0] if self.levels and self.kind != "trace" else None
        return {"multiply": 1.0, "add": 0.0, "set": None}[self.by]

    def at(self, share: float) -> Value:
        """Return the value at a share of the range, or of the number of levels.

        >>> Factor(name="x", table="t", column="c", range=(10, 20)).at(0.25)
        12.5
        >>> Factor(name="x", table="t", column="c", values=[1, 2, 3]).at(0.99)
        3
        """
        if self.levels is not None:
            found: Value = self.levels[min(int(share * len(self.levels)), len(self.levels) - 1)]
            return found
        low, high = self.range or (0.0, 0.0)
        return low + share * (high - low)

    def points(self, count: int) -> list[Value]:
        """Return its levels, or evenly spaced numbers from the lowest to the highest."""
        return list(self.levels) if self.levels is not None else [self.at(k / (count - 1)) for k in range(count)]


class Design(Strict):
    """A design file.

    Attributes:
        scenario: a scenario, or several for each of which the whole sweep is done.
        method: how values are combined.
        runs: how many there may be at most, for each scenario.
        seed: of what is drawn at random.
        points: numbers taken from a range by `one_at_a_time` (2: its ends) and `grid`; levels of `morris`.
        outputs: columns to keep, `*` stands for anything.
        fixed_head: one LP a run, with the head of a straight storage path.
        confidence: of intervals of indices.
    """

    title: str = ""
    scenario: str | list[str]
    method: Literal["one_at_a_time", "grid", "latin_hypercube", "sobol", "morris"]
    runs: int = Field(default=MOST_RUNS, ge=1, le=MOST_RUNS)
    seed: int = Field(default=1, ge=0, lt=2**31)
    points: int | None = Field(default=None, ge=2, le=1000)
    outputs: list[str] = Field(default_factory=lambda: ["*"])
    fixed_head: bool = False
    confidence: float = Field(default=0.95, gt=0, lt=1)
    factors: list[Factor] = Field(min_length=1)

    @property
    def scenarios(self) -> list[str]:
        """The scenarios for which the sweep is done."""
        return [self.scenario] if isinstance(self.scenario, str) else self.scenario


def shipped_designs() -> dict[str, Path]:
    """Return the shipped designs by name."""
    return {path.stem: path for path in sorted((shipped("scenarios") / "sensitivity").glob("*.yaml"))}


def find_design(name: str) -> Path:
    """Return the file of a design: a path, or the name of a shipped one.

    Raises:
        UsageError: there is no such design.
    """
    if Path(name).is_file():
        return Path(name)
    designs = shipped_designs()
    if name in designs:
        return designs[name]
    raise UsageError(f"no design `{name}`; {nearest(name, designs)}")


def read_design(path: Path) -> Design:
    """Read a design, or the `design.json` of a sweep.

    Raises:
        DataError: with every problem of the file that can be told without its scenario.
    """
    problems: list[Problem] = []
    content = read_yaml(path, problems)
    if path.suffix == ".json" and isinstance(content.get("design"), dict):
        content = content["design"]
    return checked(content, path, problems)


def checked(content: Mapping[str, Any], path: Path, problems: Sequence[Problem] = ()) -> Design:
    """Return the design that a file holds.

    Args:
        content: of the file.
        path: the file.
        problems: that it has already.

    Raises:
        DataError: with every problem of the content.
    """
    if problems:
        raise DataError(f"design {path.stem}", problems)
    design = strictly(Design, content, f"design {path.stem}", path.name)
    problems = list(_problems(path.name, design))
    if problems:
        raise DataError(f"design {path.stem}", problems)
    return design


def _problems(file: str, design: Design) -> Iterator[Problem]:
    if not design.scenarios:
        yield Problem(file, "scenario", "names none; name one or more")
    names = [factor.name for factor in design.factors]
    for number, factor in enumerate(design.factors):
        place = f"factors.{number} ({factor.name})"
        if not NAME.fullmatch(factor.name) or factor.name in TAKEN:
            yield Problem(file, place, f"`{factor.name}` cannot be its name; small letters, digits and _, but none of "
                          f"{', '.join(TAKEN)}")
        if names.count(factor.name) > 1:
            yield Problem(file, place, "is the name of two factors; rename one")
        yield from (Problem(file, place, message) for message in _refusals(factor))


def _refusals(factor: Factor) -> Iterator[str]:
    """Yield what is wrong with a factor itself."""
    kinds = [kind for kind in KINDS if getattr(factor, kind) is not None]
    if len(kinds) != 1:
        found = "nothing" if not kinds else " and ".join(kinds)
        yield f"says {found}; exactly one of {', '.join(KINDS)} says what is varied"
        return
    if factor.kind == "table" and factor.column is None:
        yield "`column` is missing; add it"
    if factor.kind in ("scenario", "hydrology"):
        if factor.range is not None or factor.values is not None:
            yield f"`{factor.kind}` lists its values itself; leave `range` and `values` out"
    elif factor.kind == "trace":
        if factor.range is not None:
            yield "traces have no range; list labels in `values`, or leave it out for all"
    else:
        yield from _wrong_numbers(factor)
    if factor.levels is not None and len(set(factor.levels)) < max(len(factor.levels), 2 * (factor.kind != "trace")):
        yield f"has the values {factor.levels}; two or more different ones are needed"


def _wrong_numbers(factor: Factor) -> Iterator[str]:
    if (factor.range is None) == (factor.values is None):
        yield "needs a `range` of two numbers or a list of `values`, one of the two"
    if factor.range is not None and factor.range[0] >= factor.range[1]:
        low, high = factor.range
        what = "empty" if low == high else "reversed"
        yield f"range {low:g} to {high:g} is {what}; the first number must be the smaller one"
    for value in factor.values or ():
        if isinstance(value, str):
            yield f"has `{value}` among its values; numbers are needed"
