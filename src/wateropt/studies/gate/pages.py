"""Pages of a gate: lines for the terminal, JUnit XML for CI, Markdown for a summary."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as Xml

from wateropt.errors import OutputError
from wateropt.studies.gate.changelog import shown
from wateropt.studies.gate.check import Cause, Compared, Report

FEW = 3  # causes that stand under a quantity
NEGLIGIBLE = 1e-3  # share of a movement below which a cause is not worth a line


def heading(report: Report) -> str:
    """Return one line: how much was compared, and how much of it moved."""
    runs = {one.run for one in report.compared} | {*report.failures}
    failed = f", {len(report.failures)} without a schedule" if report.failures else ""
    return (f"{report.suite}: {len(runs)} runs, {len(report.compared)} quantities, {len(report.moved)} moved{failed}")


def lines(report: Report) -> Iterator[str]:
    """Yield what moved, by how much, and what moved it."""
    yield heading(report)
    for run in dict.fromkeys(one.run for one in report.moved):
        yield run
        for one in (one for one in report.moved if one.run == run):
            yield f"  {_words(one)}"
            yield from (f"    {line}" for line in _shares(report, one))
    for run, (_, reason) in report.failures.items():
        yield f"{run}: {reason}"


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
    """Return the causes of a movement with what each of them moved, the largest first."""
    causes = report.causes.get(one.run, ())
    if not causes or one.old is None or one.new is None:
        return report.why(one.run, one.name)[:FEW]
    known = [(cause.shares[one.name], cause) for cause in causes if one.name in cause.shares]
    known.sort(key=lambda pair: (-abs(pair[0]), pair[1].words))
    least = NEGLIGIBLE * abs(one.new - one.old)
    told = [f"{share:+.4g} {one.unit}: {cause.words} ({cause.how})" for share, cause in known[:FEW]
            if abs(share) > least]
    rest = one.new - one.old - sum(share for share, _ in known)
    if known and abs(rest) > max(one.allowed, 0.01 * abs(one.new - one.old)):
        told.append(f"{rest:+.4g} {one.unit}: not owed to one input alone" + _programs(report))
    blind: list[Cause] = [cause for cause in causes if one.name not in cause.shares]
    told += [f"? {one.unit}: {cause.words} ({cause.how})" for cause in blind[:FEW]]
    return told


def _programs(report: Report) -> str:
    return f" (and {report.programs})" if report.programs else ""


def junit(report: Report) -> str:
    """Return JUnit XML: a suite for each run, a test case for each quantity."""
    runs = dict.fromkeys([*(one.run for one in report.compared), *report.failures])
    root = Xml.Element("testsuites", name=report.suite, tests=str(len(report.compared) + len(report.failures)),
                       failures=str(len(report.moved)), errors=str(len(report.failures)), time=f"{report.seconds:.3f}")
    for run in runs:
        own = [one for one in report.compared if one.run == run]
        suite = Xml.SubElement(root, "testsuite", name=run, tests=str(len(own) + (run in report.failures)),
                               failures=str(sum(one.moved for one in own)), errors=str(int(run in report.failures)))
        for one in own:
            case = Xml.SubElement(suite, "testcase", classname=f"{report.suite}.{run}", name=one.name)
            if one.moved:
                failure = Xml.SubElement(case, "failure", message=_words(one), type="drift")
                failure.text = "\n".join(_shares(report, one))
        if run in report.failures:
            case = Xml.SubElement(suite, "testcase", classname=f"{report.suite}.{run}", name="schedule")
            Xml.SubElement(case, "error", message=report.failures[run][1], type=f"code {report.failures[run][0]}")
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def markdown(report: Report) -> str:
    """Return a summary: what moved, by how much, and what moved it."""
    parts = [f"### {heading(report)}", ""]
    if report.moved:
        parts += ["| run | quantity | baseline | now | moved | allowed | what moved it |",
                  "|---|---|---:|---:|---:|---:|---|", *(_row(report, one) for one in report.moved), ""]
    parts += [f"- `{run}`: {_cell(reason)}" for run, (_, reason) in report.failures.items()]
    parts += [f"- {_cell(line)}" for line in remarks(report)]
    if report.moved:
        parts += ["", f"If this is meant: `wateropt gate --update` on `{report.suite}`, and commit the baseline and "
                  "CHANGELOG.md."]
    return "\n".join(parts).rstrip() + "\n"


def _row(report: Report, one: Compared) -> str:
    moved = "" if one.old is None or one.new is None else f"{one.new - one.old:+.4g}"
    causes = "<br>".join(_cell(line) for line in _shares(report, one))
    return (f"| `{one.run}` | `{one.name}`, {one.unit} | {shown(one.old)} | {shown(one.new)} | {moved} | "
            f"{one.allowed:.3g} | {causes} |")


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
