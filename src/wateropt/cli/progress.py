"""Progress on stderr while scenarios are solved, and the summary table on stdout."""

from __future__ import annotations

import time
from collections.abc import Sequence

import click

from wateropt.running import Job, Outcome, Watch

HEADINGS = ("scenario", "status", "cost MUSD", "shortage hm3", "unserved GWh", "unmet claims hm3", "head gap", "folder")
WORDS = ("scenario", "status", "folder")


class Progress(Watch):
    """Lines on stderr: of one scenario every step; of several which begins, which is written, and the time left."""

    def __init__(self, jobs: Sequence[Job], workers: int) -> None:
        self.jobs, self.workers = jobs, workers
        self.begun: dict[int, int] = {}
        self.left = {job.number: job.size for job in jobs}
        self.done_size = self.done_seconds = 0.0
        self.begin = time.perf_counter()

    def start(self, job: Job) -> None:
        """Tell which scenario begins."""
        self.begun[job.number] = len(self.begun) + 1
        self._say(job, "building" if len(self.jobs) == 1 else "begins")

    def step(self, job: Job, line: str) -> None:
        """Tell a step, if only one scenario is solved."""
        if len(self.jobs) == 1:
            self._say(job, line)

    def finish(self, job: Job, outcome: Outcome) -> None:
        """Tell that a scenario has ended, how many have, and how long the others may take."""
        self.done_size += self.left.pop(job.number)
        self.done_seconds += outcome.seconds
        line = f"{'written' if outcome.facts else outcome.status} after {outcome.seconds:.1f} s"
        if len(self.jobs) > 1:
            line += f"; {len(self.jobs) - len(self.left)} of {len(self.jobs)} done, {self._time_left()}"
        self._say(job, line)

    def _time_left(self) -> str:
        if not self.left:
            return f"{time.perf_counter() - self.begin:.0f} s in all"
        each = self.done_seconds / self.done_size
        seconds = each * max(sum(self.left.values()) / self.workers, *self.left.values())
        return f"about {seconds:.0f} s left"

    def _say(self, job: Job, line: str) -> None:
        wide = len(str(len(self.jobs)))
        click.echo(f"[{self.begun[job.number]:{wide}}/{len(self.jobs)}] {job.case.name}: {line}", err=True)


def show_summary(outcomes: Sequence[Outcome]) -> None:
    """Print one row per scenario; none if the only one failed, as the reason says it all."""
    if not any(outcome.facts for outcome in outcomes) and len(outcomes) == 1:
        return
    rows = [HEADINGS, *map(_row, outcomes)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEADINGS))]
    for row in rows:
        cells = zip(row, widths, HEADINGS, strict=True)
        click.echo("  ".join(c.ljust(w) if h in WORDS else c.rjust(w) for c, w, h in cells).rstrip())


def show_notices(outcomes: Sequence[Outcome]) -> None:
    """Tell on stderr what a reader of the schedules should know of their clauses, and why scenarios failed."""
    for outcome in outcomes:
        for notice in outcome.facts.get("notices", ()):
            click.echo(f"notice: {outcome.name}: {notice}", err=True)
    for outcome in outcomes:
        if outcome.code:
            name = f"{outcome.name}: " if len(outcomes) > 1 else ""
            click.echo(f"error: {name}{outcome.reason}", err=True)


def _row(outcome: Outcome) -> tuple[str, ...]:
    facts, sums = outcome.facts, outcome.totals
    if not facts:
        return (outcome.name, outcome.status, "", "", "", "", "", outcome.reason.splitlines()[0])
    return (outcome.name, outcome.status, f"{facts['objective_musd']:,.2f}", f"{sums['shortage_hm3']:,.1f}",
            f"{sums['unserved_gwh']:,.1f}", f"{sums['unmet_claims_hm3']:,.1f}", f"{facts['head_gap']:.3%}",
            str(outcome.folder))
