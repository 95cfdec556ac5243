"""Writing a result's folder: whole or not at all, replacing only what wateropt itself wrote."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wateropt import __version__
from wateropt.errors import OutputError
from wateropt.notices import notices
from wateropt.report.dataset import write_netcdf
from wateropt.report.tables import COLUMNS, TABLES, ranging
from wateropt.result import Result
from wateropt.scenario import Case

if TYPE_CHECKING:
    import pandas as pd

DIGITS = "%.10g"
NOISE = 1e-11  # smaller values are rounding of the solver
MARK = "summary.json"
SOLVED_WITH = ("highspy", "numpy", "pyomo")


def table(result: Result, name: str) -> pd.DataFrame:
    """Return one of the tables of a run (see `report.tables.TABLES`) as a data frame."""
    import pandas as pd

    return pd.DataFrame(TABLES[name](result), columns=COLUMNS.get(name))


def _write_table(result: Result, name: str, path: Path) -> None:
    _write_rows(TABLES[name](result), path, COLUMNS.get(name, ()))


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as a CSV file in the form of the result's tables.

    Raises:
        OutputError: the file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_rows(rows, path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); choose another place") from None


def _write_rows(rows: Iterable[Mapping[str, Any]], path: Path, header: Sequence[str] = ()) -> None:
    rows = iter(rows)
    first = next(rows, None)
    header = header or tuple(first or ())
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        for row in [first, *rows] if first else []:
            writer.writerow([_cell(row.get(column, "")) for column in header])


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return DIGITS % value if abs(value) > NOISE else "0"
    return value if isinstance(value, str | int) else "/".join(str(part) for part in value)


def summary(result: Result) -> dict[str, Any]:
    """Return what `summary.json` holds."""
    case, run = result.case, result.run
    return {
        "wateropt": __version__, "scenario": case.name, "title": case.scenario.title, "basin": case.basin.name,
        "start": case.calendar.starts[0].isoformat(), "end": case.scenario.end.isoformat(), "step": case.calendar.step,
        "periods": len(case.calendar), "status": result.status, "objective_musd": float(f"{result.objective:.10g}"),
        "price_year": case.basin.price_year, "sizes": run["sizes"], "solves": run["solves"],
        "fixed_head": run["fixed_head"], "held": run["held"], "head_gap": float(f"{run['head_gap']:.3g}"),
        "residuals": run["residuals"], "notices": notices(result),
        **({"ranging": _ranged(result)} if result.ranging else {}),
        "scenario_sha256": scenario_hash(case),
        "inputs_sha256": dict(case.basin.hashes),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in SOLVED_WITH}},
        "seconds": {name: round(value, 3) for name, value in run["phases"].items()},
    }


def _ranged(result: Result) -> dict[str, int]:
    """Return how many data were ranged, how many stand at a kink, and how many LPs were solved for that."""
    found = result.ranging.values()
    return {"data": len(found), "kinks": sum(one.kink for one in found), "solves": sum(one.again for one in found)}


def totals(result: Result) -> dict[str, float]:
    """Return the sums that are shown of a run: water short at sites and claims [hm³], energy not served [GWh]."""
    sites = list(TABLES["deliveries"](result))
    short = {kind: sum(row["shortage_hm3"] for row in sites if row["kind"] == kind) for kind in ("site", "claim")}
    unserved = sum(line.values.sum() for line in result.ledger("grid", "unserved"))
    return {"shortage_hm3": float(short["site"]), "unserved_gwh": float(unserved),
            "unmet_claims_hm3": float(short["claim"])}


def scenario_hash(case: Case) -> str:
    """Return the SHA-256 of what a scenario says; what its basin holds has hashes of its own."""
    text = case.scenario.model_dump_json(warnings=False, exclude={"basin"})
    return hashlib.sha256(text.encode()).hexdigest()


def write_result(result: Result, folder: Path) -> None:
    """Write every file of a result into `folder`.

    Raises:
        OutputError: the folder is somebody else's, or cannot be written.
    """
    check_folder(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None
    try:
        (made / "new").mkdir()
        _fill(result, made / "new")
        if folder.exists():
            folder.rename(made / "old")
        (made / "new").rename(folder)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from None
    finally:
        if (made / "old").exists() and not folder.exists():  # whatever went wrong, the earlier result comes back
            (made / "old").rename(folder)
        shutil.rmtree(made, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Refuse a place that cannot be written, or that is not free and not an earlier result.

    Raises:
        OutputError: something else is there, or stands in the way.
    """
    above = next(parent for parent in folder.absolute().parents if parent.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        raise OutputError(f"{folder}: cannot be written, {above} is no folder of yours; choose another --out")
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        ours = "wateropt" in json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, TypeError, ValueError):
        ours = False
    if not ours:
        raise OutputError(f"{folder}: is there and is no result of wateropt; move it or choose another --out")


def _fill(result: Result, folder: Path) -> None:
    for name in TABLES:
        _write_table(result, name, folder / f"{name}.csv")
    if result.ranging:
        _write_rows(ranging(result), folder / "ranging.csv")
    write_netcdf(result, folder / "results.nc")
    (folder / MARK).write_text(json.dumps(summary(result), indent=1) + "\n", encoding="utf-8")
