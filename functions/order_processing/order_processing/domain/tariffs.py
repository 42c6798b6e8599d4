"""Selects the service for a parcel by the zone of its destination and its weight.

An example of a tariff, to be replaced with that of your carriers. Weights in grams, inclusive.
"""

import msgspec

# The members of the European Union: no customs papers between them.
_EU_CODES = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
_EU = frozenset(_EU_CODES.split())

_SERVICES: dict[str, list[tuple[int, str]]] = {
    "domestic": [(1_000, "letter-tracked"), (10_000, "parcel"), (31_500, "parcel-heavy"), (1_000_000, "freight")],
    "eu": [(2_000, "letter-tracked-eu"), (31_500, "parcel-eu"), (700_000, "freight-eu")],
    "world": [(2_000, "letter-tracked-world"), (20_000, "parcel-world")],
}


class NoServiceError(Exception):
    """No service carries the parcel to the destination. The message says why."""


class Service(msgspec.Struct, frozen=True):
    """The service that carries a parcel."""

    zone: str
    name: str


def zone_of(country: str, origin: str) -> str:
    """Return the zone of a destination, both given by their ISO 3166-1 alpha-2 codes."""
    if country == origin:
        return "domestic"
    return "eu" if {country, origin} <= _EU else "world"


def service_for(weight_grams: int, country: str, origin: str) -> Service:
    """Return the lightest service that carries the weight there. Raises NoServiceError."""
    zone = zone_of(country, origin)
    for heaviest, name in _SERVICES[zone]:
        if weight_grams <= heaviest:
            return Service(zone, name)
    raise NoServiceError(f"{weight_grams} g, and the heaviest parcel to zone {zone} is {heaviest} g")
