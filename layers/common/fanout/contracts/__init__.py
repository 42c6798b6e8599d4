"""Contracts: the typed schema of each event type, one module per use case, no I/O.

A contract is a msgspec Struct under `@contract(...)`. A type name carries its version as a suffix (`order.placed.v1`);
within a version fields may be added with a default, never removed, renamed or changed in meaning.
"""

import importlib
import math
import pkgutil
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from types import ModuleType
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
S = TypeVar("S", bound=msgspec.Struct)


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """The properties of one event type."""

    type: str
    topic: str
    """The topic of the event type, by the name in its stack's output (`<Topic>Arn`)."""
    filterable: tuple[str, ...] = ()
    """The fields of `data` that subscriptions may filter on. They are in a claim check's stub and in every receipt, so
    none of them may hold personal data."""
    group: tuple[str, ...] = ()
    """On a FIFO topic: the fields of `data` whose values are the message group."""
    holds_anything: bool = False
    """Whether a field accepts any JSON value. `fanout.event.decode_data` limits its nesting."""
    exact_numbers: bool = False
    """Whether a number that a double cannot represent is refused instead of rounded, in a field of any JSON value."""


_by_class: dict[type, Contract] = {}
_by_type: dict[str, type] = {}
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def contract(
    event_type: str,
    *,
    topic: str,
    filterable: tuple[str, ...] = (),
    group: tuple[str, ...] = (),
    holds_anything: bool = False,
    exact_numbers: bool = False,
) -> Callable[[type[S]], type[S]]:
    """Declare the decorated Struct as the schema of events of this type. See `Contract` for the arguments.

    Raises ValueError at import if a type is declared twice or a named field does not exist.
    """

    def declare(schema: type[S]) -> type[S]:
        fields = {field.encode_name for field in msgspec.structs.fields(schema)}
        unknown = [name for name in (*filterable, *group) if name not in fields]
        if unknown:
            raise ValueError(f"contract {event_type} names {unknown}, which {schema.__name__} does not have")
        if event_type in _by_type:
            raise ValueError(
                f"contract {event_type} is declared twice: {_by_type[event_type].__name__} and {schema.__name__}"
            )
        _by_class[schema] = Contract(
            type=event_type,
            topic=topic,
            filterable=filterable,
            group=group,
            holds_anything=holds_anything,
            exact_numbers=exact_numbers,
        )
        _by_type[event_type] = schema
        return schema

    return declare


def contract_of(schema: type) -> Contract:
    """Return the contract of a schema; raises TypeError for a class without one."""
    try:
        return _by_class[schema]
    except KeyError:
        raise TypeError(f"{schema.__name__} is not a contract: decorate it with fanout.contracts.contract") from None


def schema_of(event_type: str) -> type[Any] | None:
    """Return the schema of an event type, None if no imported module declares it."""
    return _by_type.get(event_type)


def decode(schema: type[T], data: bytes | msgspec.Raw) -> T:
    """Return encoded data as an instance of a contract; raises msgspec.ValidationError or msgspec.DecodeError.

    An integer may have a fraction of zeros or an exponent: 4998.0 and 4.998e3 are integers by JSON Schema
    (https://json-schema.org/understanding-json-schema/reference/numeric#integer), as many encoders write them.
    """
    strict = _decoders.get(schema)
    if strict is None:
        hook = _exact if contract_of(schema).exact_numbers else None
        strict = _decoders[schema] = msgspec.json.Decoder(schema, float_hook=hook)
    try:
        found: T = strict.decode(data)
    except msgspec.ValidationError as error:
        if not _INTEGER_EXPECTED.search(str(error)):
            raise
    else:
        return found
    # Only after the error: reading the data untyped costs several times as much.
    read = _exact if contract_of(schema).exact_numbers else _double
    return msgspec.convert(msgspec.json.Decoder(float_hook=partial(_whole, read)).decode(data), schema, str_keys=True)


_INTEGER_EXPECTED = re.compile(r"Expected `[^`]*\bint\b[^`]*`, got `float`")


def _double(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("Number out of range")  # msgspec's message
    return number


def _exact(text: str) -> float:
    """Return a number as a double. Raises ValueError if its shortest form (RFC 8785) is another number."""
    number = _double(text)
    try:
        if Decimal(repr(number)) == Decimal(text):
            return number
    except ArithmeticError:  # an exponent beyond Decimal's
        pass
    raise ValueError("a number that a double cannot hold: send it as a string")


def _whole(read: Callable[[str], float], text: str) -> int | float:
    """Return a number without a fraction as an int, in any notation; otherwise as `read` returns it."""
    number = read(text)
    if not number.is_integer():
        return number
    try:
        exact = Decimal(text)  # a fraction may be too small for the double to show
    except ArithmeticError:
        return number
    whole = exact.to_integral_value() if exact else Decimal(0)
    return int(whole) if whole == exact else number


def filterable_fields(event_type: str, data: Any) -> dict[str, Any]:
    """Return the contract's filterable fields of an event's data, for receipts and stubs: {field: value}."""
    schema = _by_type.get(event_type)
    if schema is None:
        return {}
    return {name: getattr(data, name) for name in _by_class[schema].filterable}


def use_cases() -> list[str]:
    """Return the names of the use cases that have contracts, sorted. For tools: functions import their own module."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def load(use_case: str) -> Mapping[str, type[Any]]:
    """Import a use case's contracts; return {event type: schema}. Raises KeyError for an unknown use case."""
    module = module_of(use_case)
    return {name: schema for name, schema in _by_type.items() if schema.__module__ == module.__name__}


def module_of(use_case: str) -> ModuleType:
    """Import and return the module of a use case's contracts. Raises KeyError for an unknown use case."""
    if use_case not in use_cases():
        raise KeyError(use_case)
    return importlib.import_module(f"{__name__}.{use_case}")
