"""Decide whether an SNS filter policy matches an event of which only a part may be known.

The local engine filters with it too, so the command and the engine agree. A receipt shows only some fields of an
event, so the answer has three values: True, False, and None for "unknown".

Semantics: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html and the pages below it. Every
key must match (and), one of the conditions listed for it suffices (or), `$or` joins alternatives. Values match by type
and value: 100 is not "100". An array matches if one of its items does, at any depth. A dot in a key is the same as
nesting, as recorded on AWS:
https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns_filter_policy.py
"""

import ipaddress
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

Policy = Mapping[str, Any]


class _Unknown:
    """The value of a field that was not recorded."""


UNKNOWN = _Unknown()


@dataclass(frozen=True)
class PartialBody:
    """What is known of a message body.

    values: the known part, nested as in the body. open: paths below which more may exist than `values` shows; () is
    the whole body. A path that is neither in `values` nor below an open one does not exist in the body.
    """

    values: Mapping[str, Any]
    open: frozenset[tuple[str, ...]] = field(default_factory=frozenset)

    @classmethod
    def complete(cls, body: Mapping[str, Any]) -> "PartialBody":
        """Return a body that is known in full."""
        return cls(body)

    @classmethod
    def of_receipt(
        cls, *, event_id: str | None, source: str | None, event_type: str | None, fields: Mapping[str, Any]
    ) -> "PartialBody":
        """Return the part of an event that its receipt has: main attributes and the filterable fields of its data."""
        known = {"specversion": "1.0", "id": event_id, "source": source, "type": event_type}
        values: dict[str, Any] = {name: UNKNOWN if value is None else value for name, value in known.items()}
        # A receipt shows the contract's default where the body says nothing, so null and empty may mean "not there".
        values["data"] = {name: UNKNOWN if value in (None, [], ()) else value for name, value in fields.items()}
        return cls(values, frozenset({(), ("data",)}))

    @classmethod
    def of_attributes(cls, attributes: Mapping[str, Mapping[str, Any]]) -> "PartialBody":
        """Message attributes, as filters in the scope MessageAttributes see them: SNS ignores those of type Binary.

        https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
        """
        values: dict[str, Any] = {}
        for name, attribute in attributes.items():
            text, kind = attribute.get("StringValue") or "", str(attribute.get("DataType"))
            read = json.loads if kind == "String.Array" else float if kind.startswith("Number") else str
            if not kind.startswith("Binary"):
                values[name] = _attribute(text, read)
        return cls(values)

    @cached_property
    def has_values(self) -> bool | None:
        """Whether it has any property at all; None if that is unknown."""
        return True if next(_leaves(self.values), None) is not None else None if self.open else False


def _attribute(text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError:
        return text


def admits(policy: Policy | None, body: PartialBody) -> bool | None:
    """Return whether the policy matches the body; None if too little of the body is known. No policy: True."""
    if not policy:
        return True
    return _all(_key(name, rule, body, "") for name, rule in policy.items())


def _key(name: str, rule: Any, body: PartialBody, above: str) -> bool | None:
    if name == "$or" and _joins_alternatives(rule):
        return _any(_all(_key(key, value, body, above) for key, value in item.items()) for item in rule)
    path = f"{above}.{name}" if above else name
    if isinstance(rule, Mapping):
        return _all(_key(key, value, body, path) for key, value in rule.items())
    if not isinstance(rule, list):
        return None
    values = list(_values(body.values, path, body.open, ()))
    return _any(_condition(condition, values, body) for condition in rule)


def _joins_alternatives(rule: Any) -> bool:
    """Return whether `$or` is the operator: else it is the name of a property.

    https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html
    """
    return (
        isinstance(rule, list)
        and len(rule) >= 2
        and all(isinstance(item, Mapping) and not item.keys() & _KEYWORDS for item in rule)
    )


def _condition(condition: Any, values: Sequence[Any], body: PartialBody) -> bool | None:
    """Return whether the condition holds for one of the property's values; no values: the property does not exist."""
    if isinstance(condition, Mapping) and set(condition) == {"exists"}:
        # https://docs.aws.amazon.com/sns/latest/dg/attribute-key-matching.html
        if condition["exists"] is True:
            return _any(None if value is UNKNOWN else value not in (None, "") for value in values)
        absent = _all(None if value is UNKNOWN else False for value in values)
        return _all((absent, body.has_values))
    return _any(None if value is UNKNOWN else _matches(condition, value) for value in values)


def _values(node: Any, path: str, open_paths: frozenset[tuple[str, ...]], above: tuple[str, ...]) -> Iterator[Any]:
    """Yield all values of a dotted path: several where it leads through arrays, UNKNOWN where they may be unseen."""
    if node is UNKNOWN:
        yield UNKNOWN
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _values(item, path, open_paths, above)
    elif isinstance(node, Mapping):
        found = False
        if path in node:
            found = True
            yield from _leaves(node[path], within=False)
        end = path.find(".")
        while end != -1:
            name = path[:end]
            if name in node:
                found = True
                yield from _values(node[name], path[end + 1 :], open_paths, (*above, name))
            end = path.find(".", end + 1)
        if not found and above in open_paths:
            yield UNKNOWN


def _leaves(node: Any, *, within: bool = True) -> Iterator[Any]:
    """Yield what a filter compares with: scalars, those of arrays too, and `within` objects."""
    if isinstance(node, list | tuple):
        for item in node:
            yield from _leaves(item, within=within)
    elif not isinstance(node, Mapping):
        yield node
    elif within:
        for item in node.values():
            yield from _leaves(item)


def _matches(condition: Any, value: Any) -> bool | None:
    if isinstance(condition, Mapping):
        if len(condition) != 1:
            return None
        ((operator, operand),) = condition.items()
        matcher = _OPERATORS.get(operator)
        return matcher(operand, value) if matcher else None
    return _equal(condition, value)


def _equal(wanted: Any, value: Any) -> bool:
    """JSON equality: true is not 1."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return bool(wanted == value)


def _prefix(operand: Any, value: Any) -> bool | None:
    return isinstance(value, str) and value.startswith(operand) if isinstance(operand, str) else None


def _suffix(operand: Any, value: Any) -> bool | None:
    return isinstance(value, str) and value.endswith(operand) if isinstance(operand, str) else None


def _ignoring_case(operand: Any, value: Any) -> bool | None:
    return isinstance(value, str) and value.lower() == operand.lower() if isinstance(operand, str) else None


def _anything_but(operand: Any, value: Any) -> bool | None:
    refused = operand if isinstance(operand, list) else [operand]
    matched = _any(_matches(item, value) for item in refused)
    return None if matched is None else not matched


def _numeric(operand: Any, value: Any) -> bool | None:
    if not isinstance(operand, list) or not operand or len(operand) % 2:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return _all(
        _COMPARISONS[sign](value, limit) if sign in _COMPARISONS else None
        for sign, limit in zip(operand[::2], operand[1::2], strict=True)
    )


def _cidr(operand: Any, value: Any) -> bool | None:
    network = _network(operand)
    if network is None:
        return None
    try:
        return ipaddress.ip_address(value) in network if isinstance(value, str) else False
    except ValueError:
        return False


@lru_cache
def _network(operand: Any) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    try:
        return ipaddress.ip_network(operand, strict=False) if isinstance(operand, str) else None
    except ValueError:
        return None


_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": lambda value, limit: value == limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
}
_OPERATORS: dict[str, Callable[[Any, Any], bool | None]] = {
    "prefix": _prefix,
    "suffix": _suffix,
    "equals-ignore-case": _ignoring_case,
    "anything-but": _anything_but,
    "numeric": _numeric,
    "cidr": _cidr,
}


_KEYWORDS = _OPERATORS.keys() | {"exists"}


def _all(answers: Iterable[bool | None]) -> bool | None:
    result: bool | None = True
    for answer in answers:
        if answer is False:
            return False
        if answer is None:
            result = None
    return result


def _any(answers: Iterable[bool | None]) -> bool | None:
    result: bool | None = False
    for answer in answers:
        if answer is True:
            return True
        if answer is None:
            result = None
    return result
