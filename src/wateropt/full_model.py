"""The same case as one full Pyomo model: period blocks, each opening state a reference to the closing one before.

For people who want to add constraints or use another solver. It shares the stage with the horizon LP and
nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pyomo.core import Block, ConcreteModel, Objective, RangeSet

from wateropt.head import head_slots, straight_path
from wateropt.scenario import Case
from wateropt.stage import Stage


def pyomo_model(case: Case, head: Mapping[str, Mapping[Any, Any]] | None = None, units: Any = None) -> ConcreteModel:
    """Return a case as a Pyomo model; `model.period[t]` is the stage of period t (0 is the first).

    Args:
        case: from `load`.
        head: slots of the head's first-order form (`Result.run["head"]`); without them the head is fixed
            along a straight storage path.
        units: Pyomo's unit container, to attach units to everything (slow: loading them takes a second).

    Returns:
        A model with `period` (blocks) and `cost`, the objective [MUSD].

    Not for large studies: the horizon LP is the same and built a hundred times faster.

    >>> import wateropt
    >>> model = wateropt.pyomo_model(wateropt.load("dry-2023-monthly"))
    >>> model.period[0].release["toktogul"].lb > 0
    True
    """
    model = ConcreteModel(case.name)
    model.period = Block(RangeSet(0, len(case.calendar) - 1))
    slots = head or head_slots(case, straight_path(case), {})
    previous: Stage | None = None
    for t in range(len(case.calendar)):
        previous = _add_stage(case, model.period[t], t, previous, slots, units)
    model.cost = Objective(expr=sum(account for t in model.period for account in model.period[t].account.values()))
    return model


def _add_stage(case: Case, block: Any, t: int, previous: Stage | None, slots: Mapping[str, Mapping[Any, Any]],
               units: Any) -> Stage:
    stage = Stage(case.book, block, t, previous, units, case.column_units)
    stage.fill(case.parts)
    for name, values in slots.items():
        for key, along in values.items():
            getattr(block, name)[key] = float(along[t])
    return stage
