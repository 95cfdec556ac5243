"""Progress on stderr while scenarios are solved, and the summary table on stdout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wateropt.result import Result

HEADINGS = ("scenario", "status", "cost MUSD", "shortage hm3", "unserved GWh", "unmet claims hm3", "head gap", "folder")

WORDS = ("scenario", "status", "folder")


class Progress:
    """Lines on stderr: which scenario of how many, what it is doing, how long it took."""

    def __init__(self, total: int) -> None:
        self.total, self.done = total, 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def start(self, name: str) -> Callable[[str], None]:
        """Announce a scenario; return what tells its steps."""
        head = f"[{self.done + 1}/{self.total}] {name}"
        click.echo(f"{head}: building", err=True)
        return lambda line: click.echo(f"{head}: {line}", err=True)

    def finish(self, name: str, seconds: float) -> None:
        """Tell that a scenario is written."""
        self.done += 1
        click.echo(f"[{self.done}/{self.total}] {name}: written after {seconds:.1f} s", err=True)


def show_summary(done: list[tuple[dict[str, Any], Result]], out: Path) -> None:
    """Print one row per scenario."""
    rows = [HEADINGS, *(_row(facts, result, out) for facts, result in done)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    for row in rows:
        cells = zip(row, widths, HEADINGS, strict=True)
        click.echo("  ".join(c.ljust(w) if h in WORDS else c.rjust(w) for c, w, h in cells).rstrip())


def show_notices(done: list[tuple[dict[str, Any], Result]]) -> None:
    """Tell on stderr what a reader of the schedules should know of their clauses."""
    for facts, _ in done:
        for notice in facts["notices"]:
            click.echo(f"notice: {facts['scenario']}: {notice}", err=True)


def _row(facts: dict[str, Any], result: Result, out: Path) -> tuple[str, ...]:
    from wateropt.report.tables import TABLES

    sites = list(TABLES["deliveries"](result))
    short = {kind: sum(row["shortage_hm3"] for row in sites if row["kind"] == kind) for kind in ("site", "claim")}
    unserved = sum(line.values.sum() for line in result.ledger("grid", "unserved"))
    return (facts["scenario"], facts["status"], f"{facts['objective_musd']:,.2f}", f"{short['site']:,.1f}",
            f"{unserved:,.1f}", f"{short['claim']:,.1f}", f"{facts['head_gap']:.3%}", str(out / facts["scenario"]))
