"""Update: accept what moved as the new baseline, and write it down in CHANGELOG.md; both or neither."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from wateropt import __version__
from wateropt.studies.gate.baseline import Baseline, Recorded, write_together
from wateropt.studies.gate.changelog import Changelog, Row, seal_row, shown, what
from wateropt.studies.gate.check import Report

CAUSES = 3  # that a row names


def update(report: Report, file: Path, changelog: Changelog) -> list[Row]:
    """Write the new baseline and its rows into CHANGELOG.md; return the rows, none if nothing moved.

    A run in which nothing moved stays as it is, and so does a quantity that stayed within its tolerance: many small
    movements add up against the value that was last accepted.

    Raises:
        OutputError: a file cannot be written; both are as they were.
    """
    new = accepted(report)
    if report.before is not None and new.seal == report.before.seal:
        return []
    known = report.before.runs if report.before else {}
    rows = [Row(__version__, f"`{one.run}`", what(one.name, one.unit), shown(one.old), shown(one.new),
                _why(report, one.run, one.name)) for one in report.moved if one.run in known]
    rows.append(seal_row(report.before, new, _seal_why(report, new, len(rows))))
    write_together({file: new.text(), changelog.path: changelog.text_with(rows)})
    return rows


def accepted(report: Report) -> Baseline:
    """Return the baseline with what moved."""
    before = report.before.runs if report.before else {}
    moved = {(one.run, one.name) for one in report.moved}
    runs = {}
    for run, now in report.now.runs.items():
        if run not in before:
            runs[run] = now
        elif not any(of == run for of, _ in moved):
            runs[run] = before[run]
        else:
            runs[run] = Recorded({name: quantity if (run, name) in moved else before[run].values[name]
                                  for name, quantity in now.values.items()}, now.inputs)
    return replace(report.now, runs=runs)


def _why(report: Report, run: str, name: str) -> str:
    causes = report.why(run, name)
    more = len(causes) - CAUSES
    return "; ".join(causes[:CAUSES]) + (f"; and {more} more" if more > 0 else "")


def _seal_why(report: Report, new: Baseline, rows: int) -> str:
    if report.before is None:
        return "first baseline"
    fresh = [f"`{run}`" for run in new.runs if run not in report.before.runs]
    words = [f"{rows} rows above" if rows > 1 else "the row above" if rows else ""]
    return "; ".join(filter(None, [*words, f"new: {', '.join(fresh)}" if fresh else ""]))
