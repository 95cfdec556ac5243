"""The LP of a case as an MPS or LP file."""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path

from wateropt.errors import OutputError
from wateropt.highs import Highs
from wateropt.scenario import Case
from wateropt.solving import LiveCase

NOT_IN_LP = str.maketrans({":": ".", "/": ".", "-": "_", ">": "_", "<": "_", "=": "_", " ": "_"})


def write_model(case: Case, form: str, path: Path, *, fixed_head: bool = False) -> float:
    """Write the LP of a case; return its optimum [MUSD].

    Args:
        case: from `load`.
        form: "mps" or "lp".
        path: file to write, whole or not at all.
        fixed_head: the LP with the head of a straight storage path; else the one at the optimum's head.

    Raises:
        OutputError: the file cannot be written.
    """
    live = LiveCase(case)
    solution = live.solve_cost() if fixed_head else live.solve_head()[0]
    lp = live.horizon.lp()
    if form == "lp":
        lp = replace(lp, column_names=tuple(n.translate(NOT_IN_LP) for n in lp.column_names),
                     row_names=tuple(n.translate(NOT_IN_LP) for n in lp.row_names))
    if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise OutputError(f"{path}: cannot be written; choose a folder that exists and is yours")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        made = Path(folder) / f"model.{form}"
        Highs(lp, named=True).write(made)
        made.replace(path)
    return solution.objective
