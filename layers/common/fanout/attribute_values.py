"""Python's values as DynamoDB's attribute values and back: boto3.dynamodb.types without boto3, whose import costs more
than a function's first write.

https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.LowLevelAPI.html
"""

from collections.abc import Mapping, Set
from functools import cache
from typing import Any

_LARGEST_INT = 10**38  # DynamoDB's numbers have 38 digits


def serialize(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one for each type
    """Return a value (str, int, Decimal, bool, None, bytes, list, tuple, mapping, set of one type) as DynamoDB has it.

    Raises TypeError for other types (float among them), decimal.Inexact or Rounded for a number of more than 38 digits.
    """
    match value:
        case str():
            return {"S": value}
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() if -_LARGEST_INT < value < _LARGEST_INT:
            return {"N": str(value)}
        case bytes() | bytearray():
            return {"B": bytes(value)}
        case Mapping():
            return {"M": {name: serialize(part) for name, part in value.items()}}
        case list() | tuple():
            return {"L": [serialize(part) for part in value]}
        case Set():
            return _serialize_set(value)
        case float():
            raise TypeError("Float types are not supported. Use Decimal types instead.")
    return {"N": _number(value)}


def _serialize_set(values: Set[Any]) -> dict[str, Any]:
    kinds: dict[str, list[Any]] = {}
    for value in values:
        for kind, inner in serialize(value).items():
            kinds.setdefault(kind, []).append(inner)
    kind, *others = kinds or {"N": []}
    if others or kind not in {"S", "N", "B"}:
        raise TypeError(f"A set holds texts, numbers or bytes, not {' and '.join(sorted(kinds))}")
    return {f"{kind}S": kinds.get(kind, [])}


def _number(value: Any) -> str:
    number = _context().create_decimal(value)
    if not number.is_finite():
        raise TypeError("Infinity and NaN not supported")
    return str(number)


@cache
def _context() -> Any:
    from decimal import Clamped, Context, Inexact, Overflow, Rounded, Underflow  # noqa: PLC0415 - start-up cost

    return Context(Emin=-128, Emax=126, prec=38, traps=[Clamped, Overflow, Inexact, Rounded, Underflow])


def deserialize(value: Mapping[str, Any]) -> Any:  # noqa: PLR0911 - one for each type
    """Return an attribute value as Python's: a number as Decimal, a binary as bytes. Raises TypeError if it is none."""
    for kind, inner in value.items():
        match kind:
            case "S" | "BOOL" | "B":
                return inner
            case "N":
                return _context().create_decimal(inner)
            case "NULL":
                return None
            case "M":
                return {name: deserialize(part) for name, part in inner.items()}
            case "L":
                return [deserialize(part) for part in inner]
            case "SS" | "BS":
                return set(inner)
            case "NS":
                return {_context().create_decimal(number) for number in inner}
        raise TypeError(f"Dynamodb type {kind} is not supported")
    raise TypeError("Value must be a nonempty dictionary whose key is a valid dynamodb type.")
