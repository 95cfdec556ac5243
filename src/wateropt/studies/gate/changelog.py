"""The table **Changed results** of a CHANGELOG.md: what `gate --update` writes, and what a baseline must agree with.

New rows stand first. A baseline that was edited is found without a version control system: the first seal of the suite
in the table is that of its values, and the first value of each quantity in the table is the baseline's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from wateropt import __version__
from wateropt.errors import DataError, Problem
from wateropt.studies.gate.baseline import Baseline

FILE, HEADING = "CHANGELOG.md", "## Changed results"
HEADER = "| version | scenario | what | old | new | why |"
RULE = "|---|---|---|---:|---:|---|"
NONE = "–"
SHOWN = "%.6g"


class Row(NamedTuple):
    """A row of the table."""

    version: str
    scenario: str
    what: str
    old: str
    new: str
    why: str

    def __str__(self) -> str:
        return "| " + " | ".join(cell.replace("|", "/") for cell in self) + " |"


class Changelog(NamedTuple):
    """A CHANGELOG.md.

    Attributes:
        path: the file.
        lines: its lines.
        begin: number of lines before its first row.
        rows: of the table, the newest first.
    """

    path: Path
    lines: Sequence[str]
    begin: int
    rows: Sequence[Row]

    def text_with(self, rows: Iterable[Row]) -> str:
        """Return the file with more rows, before those that it has."""
        return "\n".join([*self.lines[: self.begin], *map(str, rows), *self.lines[self.begin :]]) + "\n"


def shown(value: float | None) -> str:
    """Return a value as the table shows it."""
    return NONE if value is None else SHOWN % value


def what(name: str, unit: str) -> str:
    """Return the cell that names a quantity."""
    return f"`{name}`, {unit}"


def read_changelog(suite: Path) -> Changelog:
    """Read the CHANGELOG.md in the folder of a suite or the nearest one above, no higher than the repository.

    Raises:
        DataError: there is none, or it has no table **Changed results**.
    """
    subject, mend = f"{FILE} of suite {suite.stem}", f"add `{HEADING}`, an empty line, `{HEADER}` and `{RULE}`"
    path = _nearest(suite)
    if path is None:
        found = f"is missing in {suite.absolute().parent} and the folders above it; make one and {mend}"
        raise DataError(subject, [Problem(FILE, "", found)])
    lines = path.read_text(encoding="utf-8").splitlines()
    try:
        begin = lines.index(HEADER, lines.index(HEADING)) + 2
    except ValueError:
        raise DataError(subject, [Problem(FILE, "", f"has no table of changed results; {mend}")]) from None
    end = next((k for k in range(begin, len(lines)) if not lines[k].startswith("|")), len(lines))
    cells = ([cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines[begin:end])
    return Changelog(path, lines, begin, [Row(*row) for row in cells if len(row) == len(Row._fields)])


def _nearest(suite: Path) -> Path | None:
    for folder in suite.absolute().parents:
        if (folder / FILE).is_file():
            return folder / FILE
        if (folder / ".git").exists():
            break
    return None


def seal_row(old: Baseline | None, new: Baseline, why: str) -> Row:
    """Return the row that seals the values of a suite."""
    return Row(__version__, f"`{new.suite}`", _sealed(new), f"`{old.seal}`" if old else NONE, f"`{new.seal}`", why)


def _sealed(baseline: Baseline) -> str:
    return f"seal of {baseline.count} values"


def check_baseline(baseline: Baseline, changelog: Changelog, file: str) -> None:
    """Refuse a baseline that was changed without rows in CHANGELOG.md.

    Raises:
        DataError: with each value that is not the one that the table says.
    """
    mend = "take the committed file back and use `--update`, which writes both"
    newest = {(row.scenario, row.what): row.new for row in reversed(changelog.rows)}
    problems = []
    for run, recorded in baseline.runs.items():
        for name, quantity in recorded.values.items():
            said = newest.get((f"`{run}`", what(name, quantity.unit)), shown(quantity.value))
            if said != shown(quantity.value):
                found = f"is {shown(quantity.value)}, but {said} in the newest row of {FILE}; {mend}"
                problems.append(Problem(file, f"{run}, {name}", found))
    seals = [row.new.strip("`") for row in changelog.rows if row.scenario == f"`{baseline.suite}`"
             and row.what.startswith("seal of ")]
    if not seals or seals[0] != baseline.seal:
        found = f"its values have the seal {baseline.seal}; {FILE} says {seals[0] if seals else 'none'}; {mend}"
        problems.append(Problem(file, "", f"was changed without a row in {FILE}: {found}"))
    if problems:
        raise DataError(f"baseline {file}", problems)
