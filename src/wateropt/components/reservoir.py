"""Reservoirs: storage, evaporation, bottom outlet, spillway, and how fast the release may change."""

import numpy as np

from wateropt.errors import Problem
from wateropt.tables import Column, Series
from wateropt.units import HM3_PER_MM_KM2

NAME = "reservoir"
COLUMNS = (
    Column("name", "text", "name in print"),
    Column("node", "text", "node of the lake", refers="node"),
    Column("outlet", "text", "node below the dam", refers="node"),
    Column("country", "text", "country of the dam", refers="country"),
    Column("minimum_storage", "hm3", "lower of published dead storage and lowest observed", low=0.0),
    Column("full_storage", "hm3", "storage at full supply level", low=0.0),
    Column("minimum_release", "m3/s", "least release as practised", low=0.0),
    Column("bypass_capacity", "m3/s", "capacity of the bottom outlets", low=0.0, default=None),
    Column("spill_capacity", "m3/s", "capacity of the spillway", low=0.0, default=None),
    Column("free_change", "m3/s/day", "change of release a day that costs nothing", low=0.0, default=None),
    Column("change_price", "USD/(m3/s)", "price of each m3/s of faster change", low=0.0, default=0.0),
    Column("area_at_zero", "km2", "lake area at no storage in the linear area curve"),
    Column("area_slope", "km2/hm3", "lake area gained per volume", low=0.0),
)
SERIES = (
    Series("evaporation", (Column("evaporation", "mm/day", "open-water evaporation and seepage", low=0.0),),
           "depth lost from the lake"),
    Series("limit", (Column("maximum_storage", "hm3", "flood-control storage", low=0.0),),
           "flood-control level by calendar month", required=False, optional_file=True),
    Series("observed", (Column("release", "m3/s", "observed release", low=0.0, default=None),
                        Column("storage", "hm3", "observed storage at the end of the period", low=0.0, default=None)),
           "what was observed (not an input of the optimization)", required=False, optional_file=True),
    Series("zone", (Column("zone_storage", "hm3", "storage where one zone ends and the next begins", low=0.0),
                    Column("price_below", "USD/m3", "price of each volume below it at the end of a period", low=0.0),
                    Column("price_above", "USD/m3", "price of each volume above it at the end of a period", low=0.0)),
           "optional zones (buffer, conservation, flood) with prices", keys=("zone",), required=False,
           optional_file=True),
)


def full_is_above_minimum(tables):
    """Find reservoirs whose full storage lies below their minimum storage."""
    reservoirs = tables[NAME]
    for r in reservoirs:
        low, full = reservoirs.minimum_storage[r], reservoirs.full_storage[r]
        if low > full:
            yield Problem("reservoir.csv", reservoirs.places[r], f"minimum storage {low:g} hm3 is above full storage "
                          f"{full:g} hm3; lower one or raise the other")


def area_is_not_negative(tables):
    """Find linear area curves that give a negative area within the storage range."""
    reservoirs = tables[NAME]
    for r in reservoirs:
        area = reservoirs.area_at_zero[r] + reservoirs.area_slope[r] * reservoirs.minimum_storage[r]
        if area < 0:
            yield Problem("reservoir.csv", reservoirs.places[r],
                          f"lake area at minimum storage is {area:g} km2; raise area_at_zero_km2")


OBSERVED_STORAGE = (NAME, "observed", "storage")
RULES = (full_is_above_minimum, area_is_not_negative)


def openings(ends, reservoirs):
    """Return storage and release before the first period, and the least storage after the last."""
    storage = {r: ends.value("storage", r, OBSERVED_STORAGE) for r in reservoirs}
    release = {r: ends.value("release", r, (NAME, "observed", "release")) for r in reservoirs}
    least = {r: ends.least("storage", r, OBSERVED_STORAGE, storage[r]) for r in reservoirs}
    return {"storage": storage, "release": release}, {"storage": least}


def build(stage, reservoirs):
    """Add storage, outlets and evaporation."""
    full = {r: _full(reservoirs, r) for r in reservoirs}
    grows = {r: stage.expansion(NAME, r) for r in reservoirs}
    most = {r: full[r] + (grows[r][1] if grows[r] else 0.0) for r in reservoirs}
    storage = stage.state("storage", reservoirs, "hm^3", lower=reservoirs.minimum_storage, upper=most)
    # (R8) a lake that may be built larger holds no more than is built
    stage.constrain("storage_built", reservoirs.where(lambda r: grows[r] is not None), lambda r: storage.closing[r]
                    <= reservoirs.full_storage[r] + stage.number(1.0, "hm^3") * grows[r][0], "hm^3")
    bypass = stage.variable("bypass", reservoirs, "m^3/s", upper=reservoirs.bypass_capacity)
    spill = stage.variable("spill", reservoirs, "m^3/s", upper=reservoirs.spill_capacity)
    stage.send("bypass", reservoirs, reservoirs.node, reservoirs.outlet, lambda r: bypass[r])
    stage.send("spill", reservoirs, reservoirs.node, reservoirs.outlet, lambda r: spill[r])

    # (R1) storage keeps what enters and does not leave
    stage.gain("storage_change", reservoirs, reservoirs.node, lambda r: storage.opening[r] - storage.closing[r])
    # (R2) evaporation = rate x area at mean storage
    per_mm = stage.number(HM3_PER_MM_KM2, "hm^3/(mm*km^2)")
    area = {r: reservoirs.area_at_zero[r] + reservoirs.area_slope[r] * 0.5 * (storage.opening[r] + storage.closing[r])
            for r in reservoirs}
    stage.gain("evaporation", reservoirs, reservoirs.node,
               lambda r: -per_mm * stage.days * reservoirs.evaporation[r] * area[r])

    # (R3) release = turbine + bypass + spill: everything that is sent from the lake to its outlet
    passing = stage.passing("dam_passing", reservoirs, reservoirs.node, reservoirs.outlet)
    release = stage.state("release", reservoirs, "m^3/s", lower=reservoirs.minimum_release)
    stage.constrain("release_total", reservoirs, lambda r: release.closing[r] == passing[r], "m^3/s")
    _limit_change(stage, reservoirs, release)
    _price_zones(stage, reservoirs, storage)
    _value_closing(stage, reservoirs, storage)


def _limit_change(stage, reservoirs, release):
    rise = stage.variable("release_rise", reservoirs, "m^3/s")
    fall = stage.variable("release_fall", reservoirs, "m^3/s")
    # (R4) change of release
    stage.constrain("release_change", reservoirs,
                    lambda r: release.closing[r] - release.opening[r] == rise[r] - fall[r], "m^3/s")
    # (R5) change beyond the free one costs
    limited = reservoirs.where(lambda r: reservoirs.raw("free_change")[r] is not None)
    steep = stage.variable("steep_change", limited, "m^3/s")
    stage.constrain("change_limit", limited,
                    lambda r: rise[r] + fall[r] <= stage.days * reservoirs.free_change[r] + steep[r], "m^3/s")
    to_musd = stage.number(1e-6, "MUSD/USD")
    stage.account("steep_change", limited, "none",
                  lambda r: to_musd * reservoirs.change_price[r] * steep[r], kind="penalty")


def _price_zones(stage, reservoirs, storage):
    zones = list(reservoirs.raw("zone_storage"))
    below = stage.variable("zone_below", zones, "hm^3")
    above = stage.variable("zone_above", zones, "hm^3")
    # (R6) storage below or above the edge of a zone, and its price
    stage.constrain("zone_edge", zones, lambda r, z: storage.closing[r] + below[r, z] - above[r, z]
                    == reservoirs.zone_storage[r, z], "hm^3")
    stage.account("storage_zone", zones, "none", lambda r, z: reservoirs.price_below[r, z] * below[r, z]
                  + reservoirs.price_above[r, z] * above[r, z], kind="penalty")


def _value_closing(stage, reservoirs, storage):
    value = stage.book.settings.get("closing_value", {})
    at_end = np.arange(len(stage.book.calendar)) == len(stage.book.calendar) - 1
    price = stage.slot("closing_value", {r: at_end * value[r] for r in sorted(value)}, "MUSD/hm^3")
    # (R7) what is left at the end is worth its value
    stage.account("storage_value", sorted(value), reservoirs.country, lambda r: -price[r] * storage.closing[r])


def _full(reservoirs, r):
    limit = reservoirs.raw("maximum_storage").get(r)
    return reservoirs.raw("full_storage")[r] if limit is None else limit


def derive(values, table, curves):
    """Return the elevation [m] of each lake at the end of each period."""
    return {"elevation": {r: curves[r].elevation(values.get("storage", r)) for r in table}}
