"""Projects: capacity that may be built, at a yearly cost. The optimizer decides how much.

What is built is the same in every period: a state that never changes and whose opening is free.
"""

from wateropt.errors import Problem, nearest
from wateropt.tables import Column

NAME = "project"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("kind", "text", "what grows: live storage [hm3], plant [MW], canal [m3/s], its lining [share], unit [MW]",
           choices=("reservoir", "powerhouse", "canal", "lining", "unit")),
    Column("asset", "text", "id of the asset that grows"),
    Column("country", "text", "country that pays", refers="country"),
    Column("maximum", "1", "most that can be built, in the unit of its kind", low=0.0),
    Column("annual_cost", "1", "million USD a year for each unit: investment as an annuity, and upkeep", low=0.0),
)
SERIES = ()
TABLES = {"lining": "canal"}
DAYS_A_YEAR = 365.25


def assets_exist(tables):
    """Find projects whose asset is not there."""
    projects = tables[NAME]
    for p in projects:
        table = tables[TABLES.get(projects.kind[p], projects.kind[p])]
        if projects.asset[p] not in table:
            hint = nearest(projects.asset[p], table.ids)
            yield Problem("project.csv", projects.places[p], f"no {table.name} `{projects.asset[p]}`; {hint}")


RULES = (assets_exist,)


def build(stage, projects):
    """Add what may be built."""
    most = {p: projects.raw("maximum")[p] for p in projects}
    built = stage.state("built", projects, "dimensionless", upper=most, free=True)

    # (Z1) what is built stays
    stage.constrain("built_stays", projects, lambda p: built.closing[p] == built.opening[p], "dimensionless")
    # (Z2) and costs its annuity for the days of the period
    a_day = stage.number(1 / DAYS_A_YEAR, "MUSD/day")
    stage.account("investment", projects, projects.country, lambda p: a_day * stage.days * projects.annual_cost[p]
                  * built.closing[p])
    for p in projects:
        stage.expand(projects.kind[p], projects.asset[p], built.closing[p], most[p])
