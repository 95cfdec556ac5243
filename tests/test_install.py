"""Installing: the wheel brings basins and scenarios, and they are found there as in a checkout."""

import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wateropt.shipped import shipped

ROOT = Path(__file__).parents[1]


def files(folder):
    """Names of the files below a folder."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_checkout_finds_its_own_data():
    """Without an installation the folders of the repository are used."""
    assert shipped("basins").is_dir()
    assert any(shipped("scenarios").glob("*.yaml"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout, built with what is installed or, without it, in an environment of its own."""
    folder = tmp_path_factory.mktemp("wheel")
    isolated = [] if importlib.util.find_spec("hatchling") is None else ["--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", *isolated, "-w", str(folder), str(ROOT)],
                   check=True, capture_output=True)
    return next(folder.glob("wateropt-*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel's content, laid out as an installation does."""
    folder = tmp_path_factory.mktemp("site")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def python(installed, elsewhere, *arguments):
    """Run Python with the wheel's content, away from the checkout."""
    return subprocess.run([sys.executable, *arguments], cwd=elsewhere, check=True, capture_output=True, text=True,
                          env={**os.environ, "PYTHONPATH": str(installed)})


@pytest.mark.slow
def test_the_wheel_brings_every_basin_and_scenario(installed):
    """File by file as in the checkout."""
    assert files(installed / "wateropt" / "shipped" / "basins") == files(ROOT / "data" / "basins")
    assert files(installed / "wateropt" / "shipped" / "scenarios") == files(ROOT / "scenarios")
    for name in files(ROOT / "data" / "basins"):
        copy = installed / "wateropt" / "shipped" / "basins" / name
        assert copy.read_bytes() == (ROOT / "data" / "basins" / name).read_bytes()


@pytest.mark.slow
def test_the_wheel_brings_both_licences_and_no_tests(installed):
    """The licence of the program and what is said about the data."""
    names = {path.name for path in installed.glob("wateropt-*.dist-info/**/*")}
    assert {"LICENSE", "LICENSES.md", "entry_points.txt"} <= names
    assert {path.name for path in installed.iterdir()} == {"wateropt", next(installed.glob("*.dist-info")).name}


@pytest.mark.slow
def test_an_installation_finds_its_data_from_anywhere(installed, tmp_path):
    """The shipped folders are those inside the package."""
    done = python(installed, tmp_path, "-c", "from wateropt.shipped import shipped; print(shipped('basins'))")
    assert Path(done.stdout.strip()) == installed / "wateropt" / "shipped" / "basins"


@pytest.mark.slow
def test_an_installation_solves_a_shipped_scenario(installed, tmp_path):
    """By its name, with nothing else at hand."""
    done = python(installed, tmp_path, "-m", "wateropt", "solve", "dry-2023-monthly", "--fixed-head")
    assert "optimal" in done.stdout
    assert (tmp_path / "results" / "dry-2023-monthly" / "release_schedule.csv").is_file()
