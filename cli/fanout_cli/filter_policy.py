"""Tells whether an SNS filter policy lets an event through, from as much of the event as is known.

A receipt shows only some fields of an event, so the answer has three values: True, False, and None for "cannot be
told". Semantics: https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html, in the scope
MessageBody: every key must match (and), one of the conditions listed for it suffices (or), `$or` joins alternatives,
a list in the body matches if one of its items does.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
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
        """A body that is known in full."""
        return cls(body)

    @classmethod
    def of_receipt(
        cls, *, event_id: str | None, source: str | None, event_type: str | None, fields: Mapping[str, Any]
    ) -> "PartialBody":
        """What a receipt tells of its event: the envelope's main attributes and the filterable fields of its data."""
        known = {"specversion": "1.0", "id": event_id, "source": source, "type": event_type}
        values: dict[str, Any] = {name: UNKNOWN if value is None else value for name, value in known.items()}
        # A receipt shows the contract's default where the body says nothing, so null and empty may mean "not there".
        values["data"] = {name: UNKNOWN if value in (None, [], ()) else value for name, value in fields.items()}
        return cls(values, frozenset({(), ("data",)}))


def admits(policy: Policy | None, body: PartialBody) -> bool | None:
    """Tell whether the policy lets the body through; None if what is known of it does not decide. No policy: True."""
    if not policy:
        return True
    return _all(_key(name, rule, body, ()) for name, rule in policy.items())


def _key(name: str, rule: Any, body: PartialBody, path: tuple[str, ...]) -> bool | None:
    if name == "$or" and isinstance(rule, list) and rule and all(isinstance(item, Mapping) for item in rule):
        return _any(_all(_key(key, value, body, path) for key, value in item.items()) for item in rule)
    here = (*path, name)
    if isinstance(rule, Mapping):
        return _all(_key(key, value, body, here) for key, value in rule.items())
    if not isinstance(rule, list):
        return None
    return _leaf(rule, _values(body.values, here, here, body.open))


def _leaf(conditions: Sequence[Any], values: Sequence[Any]) -> bool | None:
    """Whether one of the conditions holds for one of the field's values; no values: the field is not there."""
    return _any(_condition(condition, values) for condition in conditions)


def _condition(condition: Any, values: Sequence[Any]) -> bool | None:
    if isinstance(condition, Mapping) and set(condition) == {"exists"}:
        known = any(value is not UNKNOWN for value in values)
        there: bool | None = True if known else None if values else False
        return there if there is None or condition["exists"] is True else not there
    return _any(None if value is UNKNOWN else _matches(condition, value) for value in values)


def _values(
    node: Any, path: tuple[str, ...], full: tuple[str, ...], open_paths: frozenset[tuple[str, ...]]
) -> list[Any]:
    """All values of a path: several where it leads through lists, [UNKNOWN] where it may lead to something unseen."""
    if node is UNKNOWN:
        return [UNKNOWN]
    if isinstance(node, list | tuple):
        return [value for item in node for value in _values(item, path, full, open_paths)]
    if not path:
        return [node]
    if not isinstance(node, Mapping):
        return []
    if path[0] in node:
        return _values(node[path[0]], path[1:], full, open_paths)
    above = full[: len(full) - len(path)]
    return [UNKNOWN] if above in open_paths else []


def _matches(condition: Any, value: Any) -> bool | None:
    if isinstance(condition, Mapping):
        if len(condition) != 1:
            return None
        ((operator, operand),) = condition.items()
        judge = _OPERATORS.get(operator)
        return judge(operand, value) if judge else None
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
    try:
        network = ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return None
    try:
        return ipaddress.ip_address(value) in network if isinstance(value, str) else False
    except ValueError:
        return False


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


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = list(answers)
    return False if False in seen else None if None in seen else True


def _any(answers: Iterable[bool | None]) -> bool | None:
    seen = list(answers)
    return True if True in seen else None if None in seen else False
