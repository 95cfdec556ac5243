"""Where the shipped basins and scenarios are: inside the installed package, or in a checkout."""

from __future__ import annotations

from pathlib import Path


def shipped(kind: str) -> Path:
    """Return the folder of the shipped `basins` or `scenarios`.

    >>> shipped("basins").is_dir() and shipped("scenarios").is_dir()
    True
    """
    installed = Path(__file__).parent / "shipped" / kind
    if installed.is_dir():
        return installed
    checkout = Path(__file__).parents[2]
    return checkout / ("data/basins" if kind == "basins" else kind)
