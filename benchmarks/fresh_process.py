"""Print what a fresh process needs for each shipped scenario: wall time in all, and by phase.

Run as `python benchmarks/fresh_process.py`; targets on two cores: dry-2023 3 s, dry-2023-monthly 2.5 s.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 3


def fresh(scenario: str, folder: Path) -> tuple[float, dict[str, float]]:
    """Return the best wall time of a few runs [s], and its phases."""
    best, phases = float("inf"), {}
    for _ in range(REPEATS):
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-m", "wateropt", "solve", scenario, "--out", str(folder)],
                       check=True, capture_output=True)
        seconds = time.perf_counter() - begin
        if seconds < best:
            best = seconds
            phases = json.loads((folder / scenario / "summary.json").read_text())["seconds"]
    return best, phases


def main() -> None:
    """Print one line per scenario."""
    with tempfile.TemporaryDirectory() as folder:
        for scenario in ("dry-2023", "dry-2023-monthly", "normal-2024"):
            seconds, phases = fresh(scenario, Path(folder))
            print(f"{scenario:18} {seconds:5.2f} s in all:", ", ".join(f"{k} {v:.2f}" for k, v in phases.items()))


if __name__ == "__main__":
    main()
