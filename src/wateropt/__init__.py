"""wateropt: how much water to release, from which reservoir, when.

>>> import wateropt
>>> case = wateropt.load("dry-2023-monthly")
>>> result = wateropt.solve(case)
>>> result.status
'optimal'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"

if TYPE_CHECKING:
    from wateropt.checking import check
    from wateropt.full_model import pyomo_model
    from wateropt.result import Result
    from wateropt.scenario import load_case as load
    from wateropt.solving import solve
    from wateropt.studies.compare import compare

_WHERE = {
    "check": ("wateropt.checking", "check"),
    "compare": ("wateropt.studies.compare", "compare"),
    "load": ("wateropt.scenario", "load_case"),
    "pyomo_model": ("wateropt.full_model", "pyomo_model"),
    "Result": ("wateropt.result", "Result"),
    "solve": ("wateropt.solving", "solve"),
}
__all__ = ["Result", "check", "compare", "load", "pyomo_model", "solve"]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used, so that `wateropt --help` loads no solver."""
    if name not in _WHERE:
        raise AttributeError(f"module `wateropt` has no attribute `{name}`")
    import importlib

    module, attribute = _WHERE[name]
    value = getattr(importlib.import_module(module), attribute)
    globals()[name] = value
    return value
