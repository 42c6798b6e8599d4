"""Filter policies in body scope: against a reference written from SNS's rules, and from half-known bodies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_engine.filter_policy import UNKNOWN, PartialBody, admits

FIELDS = ("level", "service", "count")
scalars = st.sampled_from(["ERROR", "WARNING", "info", "", "app-1", 0, 1, 2.5, True, False])
values = scalars | st.lists(scalars, min_size=1, max_size=3)
bodies = st.dictionaries(st.sampled_from(FIELDS), values)
conditions = st.one_of(
    scalars,
    st.builds(lambda text: {"prefix": text}, st.sampled_from(["ERR", "app", ""])),
    st.builds(lambda text: {"suffix": text}, st.sampled_from(["ING", "-1"])),
    st.builds(lambda text: {"equals-ignore-case": text}, st.sampled_from(["INFO", "error"])),
    st.builds(lambda items: {"anything-but": items}, st.lists(scalars, min_size=1, max_size=2)),
    st.builds(lambda there: {"exists": there}, st.booleans()),
    st.builds(lambda low: {"numeric": [">=", low, "<", 2]}, st.sampled_from([0, 1])),
)
policies = st.dictionaries(st.sampled_from(FIELDS), st.lists(conditions, min_size=1, max_size=3), min_size=1)


def reference(policy: dict[str, list[Any]], body: dict[str, Any]) -> bool:
    """SNS's rules for one level, in their plainest form: every key, one condition, any item of a list."""
    for name, allowed in policy.items():
        present = body[name] if isinstance(body.get(name), list) else [body[name]] if name in body else []
        if not any(
            (any(value != "" for value in present) if condition["exists"] else bool(body) and not present)
            if isinstance(condition, dict) and "exists" in condition
            else any(one(condition, value) for value in present)
            for condition in allowed
        ):
            return False
    return True


def one(condition: Any, value: Any) -> bool:
    if not isinstance(condition, dict):
        return (type(condition) is type(value) and condition == value) or (
            isinstance(condition, int | float)
            and isinstance(value, int | float)
            and not isinstance(condition, bool)
            and not isinstance(value, bool)
            and condition == value
        )
    [(operator, operand)] = condition.items()
    if operator == "anything-but":
        return not any(one(item, value) for item in operand)
    if operator == "numeric":
        return isinstance(value, int | float) and not isinstance(value, bool) and operand[1] <= value < operand[3]
    if not isinstance(value, str):
        return False
    return {
        "prefix": value.startswith(operand),
        "suffix": value.endswith(operand),
        "equals-ignore-case": value.lower() == operand.lower(),
    }[operator]


@given(policies, bodies)
def test_a_complete_body_is_judged_as_sns_judges_it(policy: dict[str, list[Any]], body: dict[str, Any]) -> None:
    nested = {"data": policy}
    assert admits(policy, PartialBody.complete(body)) is reference(policy, body)
    assert admits(nested, PartialBody.complete({"data": body})) is reference(policy, body)


@given(policies, bodies, st.sets(st.sampled_from(FIELDS)))
def test_what_half_a_body_decides_the_whole_body_confirms(
    policy: dict[str, list[Any]], body: dict[str, Any], hidden: set[str]
) -> None:
    known = {name: value for name, value in body.items() if name not in hidden}
    guess = admits({"data": policy}, PartialBody({"data": known}, frozenset({("data",)})))
    assert guess in (None, reference(policy, body))


@given(policies, bodies)
def test_a_body_of_which_nothing_is_hidden_is_always_decided(
    policy: dict[str, list[Any]], body: dict[str, Any]
) -> None:
    assert admits(policy, PartialBody.complete(body)) is not None


@given(policies, policies, bodies)
def test_or_joins_alternatives(left: dict[str, Any], right: dict[str, Any], body: dict[str, Any]) -> None:
    expected = reference(left, body) or reference(right, body)
    assert admits({"$or": [left, right]}, PartialBody.complete(body)) is expected


def test_no_policy_lets_everything_through() -> None:
    assert admits(None, PartialBody.complete({})) is True
    assert admits({}, PartialBody.complete({})) is True


def test_a_list_of_objects_matches_if_one_of_them_does() -> None:
    body = PartialBody.complete({"lines": [{"sku": "a"}, {"sku": "b"}]})
    assert admits({"lines": {"sku": ["b"]}}, body) is True
    assert admits({"lines": {"sku": ["c"]}}, body) is False


@pytest.mark.parametrize(("network", "expected"), [("10.0.0.0/24", True), ("10.0.1.0/24", False)])
def test_cidr_takes_addresses_of_its_network(network: str, expected: bool) -> None:
    assert admits({"ip": [{"cidr": network}]}, PartialBody.complete({"ip": "10.0.0.7"})) is expected


def test_an_operator_we_do_not_know_decides_nothing() -> None:
    assert admits({"a": [{"sounds-like": "b"}]}, PartialBody.complete({"a": "b"})) is None


def receipt(event_type: str = "log.entry.v1", **fields: Any) -> PartialBody:
    return PartialBody.of_receipt(event_id="1", source="s", event_type=event_type, fields=fields)


def test_a_receipt_decides_about_its_type_and_its_fields() -> None:
    policy = {"type": ["log.entry.v1"], "data": {"level": ["ERROR", "WARNING"]}}
    assert admits(policy, receipt(level="ERROR")) is True
    assert admits(policy, receipt(level="INFO")) is False
    assert admits(policy, receipt("order.placed.v1", level="ERROR")) is False


def test_a_receipt_without_the_field_leaves_it_open() -> None:
    assert admits({"data": {"service": ["shop"]}}, receipt(level="ERROR")) is None
    assert admits({"subject": ["x"]}, receipt(level="ERROR")) is None


def test_a_dot_in_a_key_is_the_same_as_nesting() -> None:
    assert admits({"data.level": ["ERROR"]}, receipt(level="ERROR")) is True
    assert admits({"data.level": ["ERROR"]}, receipt(level="INFO")) is False
    assert admits({"data.service": ["shop"]}, receipt(level="ERROR")) is None


def test_a_property_exists_if_it_is_known_not_to_be_empty() -> None:
    policy = {"data": {"level": [{"exists": True}]}}
    assert admits(policy, receipt(level="ERROR")) is True
    assert admits(policy, receipt()) is None
    assert admits(policy, PartialBody.complete({"data": {"level": None}})) is False
    assert admits({"data": [{"exists": True}]}, PartialBody.complete({"data": {"level": "x"}})) is False


@pytest.mark.parametrize("default", [None, [], ()])
def test_a_default_in_a_receipt_may_mean_that_the_body_says_nothing(default: Any) -> None:
    body = receipt(audience=default)
    assert body.values["data"]["audience"] is UNKNOWN
    assert admits({"data": {"audience": [{"exists": False}]}}, body) is None
