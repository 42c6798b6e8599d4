"""Validate filter policies as SNS does; the wiring rules for cfn-lint use this module, too.

https://docs.aws.amazon.com/sns/latest/dg/subscription-filter-policy-constraints.html
The texts are AWS's own, as recorded in
https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns_filter_policy.snapshot.json
"""

import ipaddress
from typing import Any

_MAX_KEYS = 5
_MAX_COMBINATIONS = 150
_TEXT_OPERATORS = ("prefix", "suffix", "equals-ignore-case")
_OPERATORS = {*_TEXT_OPERATORS, "anything-but", "exists", "numeric", "cidr"}
_LOWER, _UPPER, _EQUAL = (">", ">="), ("<", "<="), ("=",)


class InvalidFilterPolicyError(ValueError):
    """SNS refuses the filter policy; the text is SNS's reason."""


def validate(policy: dict[str, Any], scope: str) -> None:
    """Raise InvalidFilterPolicyError if SNS refuses a policy with this FilterPolicyScope.

    A value of a type that JSON does not have is unknown to the caller, like a parameter, and accepted.
    """
    if len(policy) > _MAX_KEYS:
        raise InvalidFilterPolicyError("FilterPolicy: Filter policy can not have more than 5 keys")
    if _combinations(policy, 1, 1, nested=scope == "MessageBody") > _MAX_COMBINATIONS:
        raise InvalidFilterPolicyError("FilterPolicy: Filter policy is too complex")


def _combinations(policy: dict[str, Any], depth: int, combinations: int, *, nested: bool) -> int:
    """Return the product over all keys of the number of values and the depth of the key, which SNS limits."""
    for key, conditions in policy.items():
        if isinstance(conditions, dict):
            combinations = _combinations(conditions, depth + 1, combinations, nested=nested)
            if not nested:
                raise InvalidFilterPolicyError(
                    "Filter policy scope MessageAttributes does not support nested filter policy"
                )
        elif not isinstance(conditions, list):
            if _is_json(conditions):
                raise InvalidFilterPolicyError(f'FilterPolicy: "{key}" must be an object or an array')
        elif not conditions:
            raise InvalidFilterPolicyError("FilterPolicy: Empty arrays are not allowed")
        elif key == "$or" and _joins_alternatives(conditions):
            combinations = sum(_combinations(each, depth, combinations, nested=nested) for each in conditions)
        else:
            for condition in conditions:
                _validate_condition(condition)
            combinations *= len(conditions) * depth
    return combinations


def _joins_alternatives(conditions: list[Any]) -> bool:
    """Return whether `$or` is the operator, not a property's name: it has two or more objects without operators.

    https://docs.aws.amazon.com/sns/latest/dg/and-or-logic.html
    """
    return len(conditions) >= 2 and all(isinstance(each, dict) and not each.keys() & _OPERATORS for each in conditions)


def _validate_condition(condition: Any) -> None:
    if isinstance(condition, list):
        raise InvalidFilterPolicyError("FilterPolicy: Match value must be String, number, true, false, or null")
    if not isinstance(condition, dict):
        return
    if len(condition) != 1:
        raise InvalidFilterPolicyError("FilterPolicy: Only one key allowed in match expression")
    [(operator, operand)] = condition.items()
    if operator in _TEXT_OPERATORS:
        _validate_text(operator, operand)
    elif operator == "anything-but":
        _validate_exclusion(operand)
    elif operator == "exists":
        if _is_json(operand) and not isinstance(operand, bool):
            raise InvalidFilterPolicyError("FilterPolicy: exists match pattern must be either true or false.")
    elif operator == "numeric":
        _validate_range(operand)
    elif operator == "cidr":
        _validate_cidr(operand)
    else:
        raise InvalidFilterPolicyError(f"FilterPolicy: Unrecognized match type {operator}")


def _validate_text(operator: str, operand: Any) -> None:
    if _is_json(operand) and not isinstance(operand, str):
        raise InvalidFilterPolicyError(f"FilterPolicy: {operator} match pattern must be a string")


def _validate_exclusion(operand: Any) -> None:
    if not isinstance(operand, dict):
        return
    for operator, part in operand.items():
        if operator != "prefix":
            raise InvalidFilterPolicyError(f"FilterPolicy: Unsupported anything-but pattern: {operator}")
        _validate_text(operator, part)


def _validate_range(operand: Any) -> None:
    """`["=", n]`, `[">", low]`, `["<", high]` or `[">", low, "<", high]`."""
    if not isinstance(operand, list):
        return
    if not operand:
        raise InvalidFilterPolicyError("FilterPolicy: Invalid member in numeric match: ]")
    operator = operand[0]
    if not isinstance(operator, str):
        raise InvalidFilterPolicyError(f"FilterPolicy: Invalid member in numeric match: {operator}")
    if operator not in (*_LOWER, *_UPPER, *_EQUAL):
        raise InvalidFilterPolicyError(f"FilterPolicy: Unrecognized numeric range operator: {operator}")
    low = _number(operator, operand[1:2])
    second = operand[2:]
    if not second:
        return
    if operator not in _LOWER:
        raise InvalidFilterPolicyError("FilterPolicy: Too many elements in numeric expression")
    if not isinstance(second[0], str):
        raise InvalidFilterPolicyError(f"FilterPolicy: Bad value in numeric range: {second[0]}")
    if second[0] not in _UPPER:
        raise InvalidFilterPolicyError(f"FilterPolicy: Bad numeric range operator: {second[0]}")
    high = _number(second[0], second[1:2])
    if low is not None and high is not None and high <= low:
        raise InvalidFilterPolicyError("FilterPolicy: Bottom must be less than top")
    if len(second) > 2:
        raise InvalidFilterPolicyError("FilterPolicy: Too many terms in numeric range expression")


def _number(operator: str, operands: list[Any]) -> float | None:
    """Return the number after an operator; None if it is not known."""
    operand = operands[0] if operands else None
    if isinstance(operand, int | float) and not isinstance(operand, bool):
        return operand
    if _is_json(operand):
        name = "equals" if operator == "=" else operator
        raise InvalidFilterPolicyError(f"FilterPolicy: Value of {name} must be numeric")
    return None


def _validate_cidr(operand: Any) -> None:
    if not isinstance(operand, str):
        _validate_text("prefix", operand)  # SNS says prefix here
        return
    address, slash, mask = operand.partition("/")
    if not slash or "/" in mask:
        raise InvalidFilterPolicyError("FilterPolicy: Malformed CIDR, one '/' required")
    if not mask.isdigit():
        raise InvalidFilterPolicyError("FilterPolicy: Malformed CIDR, mask bits must be an integer")
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise InvalidFilterPolicyError(f"FilterPolicy: Nonstandard IP address: {address}") from None


def _is_json(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | bool | list | dict)
