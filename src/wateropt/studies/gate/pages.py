"""Pages of a gate: lines for the terminal, JUnit XML for CI, Markdown for a summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Xml

from wateropt.errors import OutputError
from wateropt.studies.gate.changelog import shown
from wateropt.studies.gate.check import Compared, Report
from wateropt.studies.gate.tornado import tornado

FEW = 3  # causes that stand under a quantity
NEGLIGIBLE = 1e-3  # share of a movement below which a cause is not worth a word
ODD = 0.02  # share of a movement above which it is said that causes do not add up to it


def heading(report: Report) -> str:
    """Return one line: how much was compared, and how much of it moved."""
    runs = {one.run for one in report.compared} | {*report.failures}
    failed = f", {len(report.failures)} without a schedule" if report.failures else ""
    return (f"{report.suite}: {len(runs)} runs, {len(report.compared)} quantities, {len(report.moved)} moved{failed}")


def lines(report: Report) -> Iterator[str]:
    """Yield what moved, by how much, and what moved it: inputs by number, and how much each of them moved."""
    yield heading(report)
    for run in dict.fromkeys(one.run for one in report.moved):
        yield run
        yield from (f"  {line}" for line in _causes(report, run))
        for one in (one for one in report.moved if one.run == run):
            shares = ", ".join(_shares(report, one))
            yield f"  {_words(one)}" + (f": {shares}" if shares else "")
    for run, (_, reason) in report.failures.items():
        yield f"{run}: {reason}"


def _causes(report: Report, run: str) -> list[str]:
    """Return what changed in a run, numbered."""
    causes = report.causes.get(run, ())
    if not causes:
        return report.why(run, "")
    return [f"[{number}] {cause.words} ({cause.how})" for number, cause in enumerate(causes, start=1)]


def remarks(report: Report) -> Iterator[str]:
    """Yield what is worth knowing besides: changes that moved nothing, or that no run uses."""
    drifted = {one.run for one in report.moved}
    for run, count in report.changes.items():
        if count and run not in drifted and run not in report.failures:
            yield f"{run}: {count} inputs changed; nothing moved further than allowed"
    for file in report.unused:
        yield f"{file}: changed, but nothing in it that a run uses"
    if report.programs:
        yield f"the baseline was made with other programs: {report.programs}"


def _words(one: Compared) -> str:
    if one.old is None or one.new is None:
        state = "is not in the baseline" if one.old is None else "is gone"
        return f"{one.name}: {shown(one.old)} -> {shown(one.new)} {one.unit}; {state}"
    return (f"{one.name}: {shown(one.old)} -> {shown(one.new)} {one.unit} ({one.new - one.old:+.4g}; "
            f"{one.allowed:.3g} is allowed)")


def _shares(report: Report, one: Compared) -> list[str]:
    """Return by how much the numbered inputs moved a quantity, the largest first."""
    causes = report.causes.get(one.run, ())
    if not causes or one.old is None or one.new is None:
        return []
    known = [(cause.shares[one.name], number) for number, cause in enumerate(causes, start=1)
             if one.name in cause.shares]
    known.sort(key=lambda pair: (-abs(pair[0]), pair[1]))
    moved = one.new - one.old
    told = [f"{share:+.4g} by [{number}]" for share, number in known[:FEW] if abs(share) > NEGLIGIBLE * abs(moved)]
    rest = moved - sum(share for share, _ in known)
    if abs(rest) > max(one.allowed, ODD * abs(moved)):
        told.append(f"{rest:+.4g} by no single input{_programs(report)}")
    return told


def _programs(report: Report) -> str:
    return f" (or by {report.programs})" if report.programs else ""


def junit(report: Report) -> str:
    """Return JUnit XML: a suite for each run, a test case for each quantity."""
    runs = dict.fromkeys([*(one.run for one in report.compared), *report.failures])
    root = Xml.Element("testsuites", name=report.suite, tests=str(len(report.compared) + len(report.failures)),
                       failures=str(len(report.moved)), errors=str(len(report.failures)))
    for run in runs:
        own = [one for one in report.compared if one.run == run]
        suite = Xml.SubElement(root, "testsuite", name=run, tests=str(len(own) + (run in report.failures)),
                               failures=str(sum(one.moved for one in own)), errors=str(int(run in report.failures)))
        for one in own:
            case = Xml.SubElement(suite, "testcase", classname=f"{report.suite}.{run}", name=one.name)
            if one.moved:
                failure = Xml.SubElement(case, "failure", message=_words(one), type="drift")
                failure.text = "\n".join([*_shares(report, one), *_causes(report, run)])
        if run in report.failures:
            case = Xml.SubElement(suite, "testcase", classname=f"{report.suite}.{run}", name="schedule")
            Xml.SubElement(case, "error", message=report.failures[run][1], type=f"code {report.failures[run][0]}")
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def markdown(report: Report) -> str:
    """Return a summary: what moved, by how much, and what moved it; and the tornado of each sweep."""
    parts = [f"### {heading(report)}", ""]
    for run in dict.fromkeys(one.run for one in report.moved):
        parts += [f"**{run}**", "", *(f"- {_cell(line)}" for line in _causes(report, run)), "",
                  "| quantity | baseline | now | moved | allowed | by |", "|---|---:|---:|---:|---:|---|",
                  *(_row(report, one) for one in report.moved if one.run == run), ""]
    for run, rows in report.effects.items():
        moved = {one.name: one.new - one.old for one in report.moved
                 if one.run == run and one.old is not None and one.new is not None}
        parts += [f"**{run}**", "", *tornado(rows, moved), ""]
    parts += [f"- `{run}`: {_cell(reason)}" for run, (_, reason) in report.failures.items()]
    parts += [f"- {_cell(line)}" for line in remarks(report)]
    if report.moved:
        parts += ["", f"If this is meant: `wateropt gate --update` on `{report.suite}`, and commit the baseline and "
                  "CHANGELOG.md."]
    return "\n".join(parts).rstrip() + "\n"


def _row(report: Report, one: Compared) -> str:
    moved = "" if one.old is None or one.new is None else f"{one.new - one.old:+.4g}"
    return (f"| `{one.name}`, {one.unit} | {shown(one.old)} | {shown(one.new)} | {moved} | {one.allowed:.3g} | "
            f"{', '.join(_shares(report, one))} |")


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "/").replace("<", "&lt;").split())


def write_text(path: Path, text: str, *, append: bool = False) -> None:
    """Write, or add to, a page.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if append else "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None
