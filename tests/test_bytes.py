"""The same case writes the same bytes, whatever the order of the input rows and of Python's hashes."""

import json
import os
import random
import shutil
import subprocess
import sys

import pytest

from wateropt.basin import find_basin
from wateropt.report.files import write_result
from wateropt.scenario import find_scenario

pytestmark = pytest.mark.slow  # processes of their own


def write_shuffled(folder, seed, step):
    """Copy the basin with the rows of every table in another order, and a scenario that uses the copy."""
    basin = folder / "basin"
    shutil.copytree(find_basin("naryn-syrdarya"), basin)
    for path in sorted(basin.glob("*.csv")):
        header, *rows = path.read_bytes().splitlines(keepends=True)
        random.Random(seed).shuffle(rows)
        path.write_bytes(b"".join([header, *(row.rstrip(b"\r\n") + b"\n" for row in rows)]))
    text = find_scenario("dry-2023").read_text(encoding="utf-8").replace("naryn-syrdarya", str(basin))
    (folder / "dry-2023.yaml").write_text(text.replace("step: dekad", f"step: {step}"), encoding="utf-8")


def start(folder, seed):
    """Start to solve a folder's scenario in a process of its own."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    command = [sys.executable, "-m", "wateropt", "solve", str(folder / "dry-2023.yaml"), "--out", str(folder / "out")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def wait_for(processes):
    for process in processes:
        assert process.wait(timeout=120) == 0, process.stderr.read()
        process.stderr.close()


def written(folder):
    """Every file of a result, the summary without the seconds it took."""
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    summary = json.loads(files.pop("summary.json"))
    summary.pop("seconds")
    return {**files, "summary": summary}


def test_processes_write_the_same_bytes(tmp_path):
    """Five processes with shuffled rows and different hashes write the same tables, NetCDF file and summary."""
    folders = [tmp_path / str(seed) for seed in range(1, 6)]
    for seed, folder in enumerate(folders, 1):
        folder.mkdir()
        write_shuffled(folder, seed, "month")
    assert len({(folder / "basin" / "node.csv").read_bytes() for folder in folders}) == 5
    wait_for([start(folder, seed) for seed, folder in enumerate(folders, 1)])
    first, *others = [written(folder / "out" / "dry-2023") for folder in folders]
    assert len(first) >= 12
    for other in others:
        assert [name for name in first | other if other.get(name) != first.get(name)] == []


def test_shuffled_dekads_give_the_shipped_bytes(tmp_path, dry_result):
    """The dry year by dekads from shuffled rows, in another process, is the shipped scenario's to the byte."""
    write_result(dry_result, tmp_path / "shipped")
    write_shuffled(tmp_path, 6, "dekad")
    wait_for([start(tmp_path, 6)])
    first, other = written(tmp_path / "shipped"), written(tmp_path / "out" / "dry-2023")
    assert [name for name in first | other if other.get(name) != first.get(name)] == []
