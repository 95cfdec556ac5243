"""The same case writes the same bytes, whatever the order of the input rows and of Python's hashes."""

import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from wateropt.basin import find_basin
from wateropt.scenario import find_scenario


def write_shuffled(folder, seed, step):
    """Copy the basin with the rows of every table in another order, and a scenario that uses the copy."""
    basin = folder / "basin"
    shutil.copytree(find_basin("naryn-syrdarya"), basin)
    for path in sorted(basin.glob("*.csv")):
        header, *rows = path.read_bytes().splitlines(keepends=True)
        random.Random(seed).shuffle(rows)
        path.write_bytes(b"".join([header, *(row.rstrip(b"\r\n") + b"\n" for row in rows)]))
    text = find_scenario("dry-2023").read_text(encoding="utf-8").replace("naryn-syrdarya", str(basin))
    (folder / "year.yaml").write_text(text.replace("step: dekad", f"step: {step}"), encoding="utf-8")


def start(folder, seed):
    """Start to solve a folder's scenario in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-m", "wateropt", "solve", str(folder / "year.yaml"), "--out", str(folder / "out")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def written(folder):
    """Every file of a result, the summary without what it took and where."""
    files = {path.name: path.read_bytes() for path in (folder / "out" / "year").iterdir()}
    summary = json.loads(files.pop("summary.json"))
    summary.pop("seconds")
    return {**files, "summary": summary}


@pytest.mark.parametrize(("step", "seeds"), [("month", range(1, 6)), ("dekad", range(1, 3))])
def test_processes_write_the_same_bytes(tmp_path, step, seeds):
    """Processes with shuffled rows and different hashes write the same tables, NetCDF file and summary."""
    for seed in seeds:
        (tmp_path / str(seed)).mkdir()
        write_shuffled(tmp_path / str(seed), seed, step)
    inputs = {(tmp_path / str(seed) / "basin" / "node.csv").read_bytes() for seed in seeds}
    assert len(inputs) == len(seeds)
    running = [start(tmp_path / str(seed), seed) for seed in seeds]
    for process in running:
        assert process.wait(timeout=120) == 0, process.stderr.read()
        process.stderr.close()
    first, *others = [written(tmp_path / str(seed)) for seed in seeds]
    assert len(first) >= 12
    for other in others:
        assert [name for name in first if other.get(name) != first[name]] == []
