"""Which messages a filter policy lets through, as SNS documents its operators.

https://docs.aws.amazon.com/sns/latest/dg/sns-subscription-filter-policies.html and the pages below it.
The cases with dots and with arrays in arrays are recorded on AWS:
https://github.com/localstack/localstack/blob/main/tests/aws/services/sns/test_sns_filter_policy.py
"""

import json
from typing import Any

import pytest

from engine_tests.aws import Aws

Json = dict[str, Any]

LINES = {"lines": {"sku": ["b"], "price": [{"numeric": [">", 5]}]}}
ALTERNATIVES = {
    "$or": [{"metricName": ["CPUUtilization"]}, {"namespace": ["AWS/EC2"]}],
    "detail": {"scope": ["Service"], "$or": [{"source": ["aws.cloudwatch"]}, {"type": ["Alarm"]}]},
}
# id: (policy, bodies that it lets through, bodies that it does not)
BODIES: dict[str, tuple[Json, list[Any], list[Any]]] = {
    "a number matches numbers of any notation and no text": (
        {"a": [100]},
        [{"a": 100}, {"a": 100.0}, {"a": [1, 100]}],
        [{"a": "100"}, {"a": True}, {"a": None}, {"a": 101}, {}],
    ),
    "one is not true": ({"a": [1]}, [{"a": 1}], [{"a": True}, {"a": "1"}]),
    "a text matches no number": ({"a": ["100"]}, [{"a": "100"}], [{"a": 100}, {"a": "0100"}]),
    "true matches true and no text": ({"a": [True]}, [{"a": True}], [{"a": "true"}, {"a": 1}, {"a": False}]),
    "false matches false and nothing empty": ({"a": [False]}, [{"a": False}], [{"a": "false"}, {"a": 0}, {"a": None}]),
    "null matches null and no text": (
        {"a": [None]},
        [{"a": None}, {"a": ["x", None]}],
        [{"a": "null"}, {"a": ""}, {"a": 0}, {"a": []}, {"b": 1}],
    ),
    "case matters": ({"a": ["Rugby"]}, [{"a": "Rugby"}], [{"a": "rugby"}]),
    "an array matches by one item": ({"a": ["x", "y"]}, [{"a": ["y", "z"]}], [{"a": ["z"]}, {"a": []}]),
    "arrays are searched at any depth": ({"a": {"b": ["x"]}}, [{"a": [[{"b": [["x"]]}]]}], [{"a": [[{"b": "y"}]]}]),
    "an array of objects matches by its items": (
        LINES,
        [{"lines": [{"sku": "a", "price": 1}, {"sku": "b", "price": 9}]}, {"lines": {"sku": "b", "price": 9}}],
        [{"lines": [{"sku": "a", "price": 9}]}, {"lines": [{"sku": "b", "price": 5}]}, {"lines": []}, {"lines": "b"}],
    ),
    "every key must match": ({"a": ["x"], "b": {"c": [1]}}, [{"a": "x", "b": {"c": 1}}], [{"a": "x"}, {"b": {"c": 1}}]),
    "a key with a dot is a nested key": (
        {"a.b.c": ["x"]},
        [{"a": {"b": {"c": "x"}}}, {"a.b.c": "x"}, {"a.b": {"c": "x"}}, {"a": {"b.c": "x"}}],
        [{"a": {"b": {"c": "y"}}}, {"a": {"b": "x"}}],
    ),
    "a nested key is a key with a dot": ({"a": {"b": ["x"]}}, [{"a.b": "x"}, {"a": {"b": "x"}}], [{"a.c": "x"}]),
    "exists": (
        {"a": [{"exists": True}]},
        [{"a": "x"}, {"a": 0}, {"a": False}, {"a": ["x"]}],
        [{"b": 1}, {"a": None}, {"a": ""}, {"a": []}, {"a": {"b": 1}}, {}],
    ),
    "does not exist": (
        {"a": {"b": [{"exists": False}]}},
        [{"c": 1}, {"a": {"c": 1}}, {"a": "x"}],
        [{"a": {"b": 1}}, {"a": {"b": None}}, {}],
    ),
    "does not exist, or has a value": (
        {"a": [{"exists": False}, "x"]},
        [{"b": 1}, {"a": "x"}],
        [{"a": "y"}],
    ),
    "anything but one text": (
        {"a": [{"anything-but": "x"}]},
        [{"a": "y"}, {"a": 1}, {"a": ["x", "y"]}],
        [{"a": "x"}, {}],
    ),
    "anything but a list": (
        {"a": [{"anything-but": ["x", "y"]}]},
        [{"a": "z"}, {"a": ["x", "z"]}],
        [{"a": "x"}, {"a": ["x", "y"]}, {"b": "z"}],
    ),
    "anything but numbers": (
        {"a": [{"anything-but": [100, 500]}]},
        [{"a": 101}, {"a": 100.1}, {"a": "100"}, {"a": [100, 1]}],
        [{"a": 100}, {"a": 5e2}, {"a": [100, 500]}],
    ),
    "anything but a prefix": (
        {"a": [{"anything-but": {"prefix": "order-"}}]},
        [{"a": "data-entry"}, {"a": ["order-1", "x"]}],
        [{"a": "order-1"}, {}],
    ),
    "a prefix": (
        {"a": [{"prefix": "bas"}]},
        [{"a": "baseball"}, {"a": ["x", "bas"]}],
        [{"a": "rugby"}, {"a": "Bas"}, {"a": 1}],
    ),
    "a suffix": (
        {"a": [{"suffix": "ball"}]},
        [{"a": "baseball"}, {"a": "ball"}],
        [{"a": "balls"}, {"a": 1}, {"a": None}],
    ),
    "equals ignoring case": (
        {"a": [{"equals-ignore-case": "Tennis"}]},
        [{"a": "tennis"}, {"a": "TENNIS"}, {"a": ["x", "Tennis"]}],
        [{"a": "tennis "}, {"a": True}],
    ),
    "a network": (
        {"a": [{"cidr": "10.0.0.0/24"}, {"cidr": "2001:db8::/32"}]},
        [{"a": "10.0.0.255"}, {"a": "2001:db8::1"}, {"a": ["x", "10.0.0.1"]}],
        [{"a": "10.1.1.0"}, {"a": "10.0.0"}, {"a": 167772160}, {"a": "2001:db9::1"}],
    ),
    "a number by its value": (
        {"a": [{"numeric": ["=", 301.5]}]},
        [{"a": 301.5}, {"a": 3.015e2}, {"a": 301.50}],
        [{"a": "301.5"}, {"a": 301}, {"a": True}],
    ),
    "a range of numbers": (
        {"a": [{"numeric": [">", 0, "<=", 150]}]},
        [{"a": 150}, {"a": 0.1}, {"a": [-1, 7]}],
        [{"a": 0}, {"a": 150.1}, {"a": "7"}, {"a": [-1, 151]}],
    ),
    "a range with one end": ({"a": [{"numeric": ["<", -5]}]}, [{"a": -5.5}, {"a": -1e3}], [{"a": -5}, {"a": 0}]),
    "alternatives": (
        ALTERNATIVES,
        [
            {"metricName": "CPUUtilization", "detail": {"scope": "Service", "source": "aws.cloudwatch"}},
            {"namespace": "AWS/EC2", "detail": {"scope": "Service", "type": "Alarm"}},
        ],
        [
            {"metricName": "CPUUtilization", "detail": {"scope": "Service"}},
            {"metricName": "CPUUtilization", "detail": {"type": "Alarm"}},
            {"metricName": "ReadLatency", "detail": {"scope": "Service", "type": "Alarm"}},
        ],
    ),
    "a property called $or": (
        {"$or": [{"prefix": "x"}, {"suffix": "y"}]},
        [{"$or": "xz"}, {"$or": "zy"}],
        [{"prefix": "x"}, {"$or": "z"}],
    ),
    "a body that is not an object": ({"a": [{"exists": False}]}, [{"b": 1}], ["text", [{"b": 1}], 1, None]),
}

TEXT, NUMBER, ARRAY = "String", "Number", "String.Array"
Attributes = dict[str, tuple[str, str]]
# id: (policy, attributes that it lets through, attributes that it does not)
ATTRIBUTES: dict[str, tuple[Json, list[Attributes], list[Attributes]]] = {
    "a number matches a Number": (
        {"a": [100]},
        [{"a": (NUMBER, "100")}, {"a": (NUMBER, "1e2")}, {"a": ("Number.int", "100.0")}, {"a": (ARRAY, "[100]")}],
        [{"a": (TEXT, "100")}, {"a": (ARRAY, '["100"]')}, {}],
    ),
    "a text matches a String": (
        {"a": ["100"]},
        [{"a": (TEXT, "100")}, {"a": ("String.custom", "100")}, {"a": (ARRAY, '["1", "100"]')}],
        [{"a": (NUMBER, "100")}, {"a": (ARRAY, "[100]")}],
    ),
    "true, false and null match items of an array": (
        {"a": [True, None]},
        [{"a": (ARRAY, "[true]")}, {"a": (ARRAY, "[null]")}],
        [{"a": (TEXT, "true")}, {"a": (TEXT, "null")}, {"a": (ARRAY, "[false]")}, {"a": (ARRAY, '["true"]')}],
    ),
    "a range of numbers": (
        {"a": [{"numeric": [">=", 1, "<", 2]}]},
        [{"a": (NUMBER, "1.99")}, {"a": (ARRAY, "[0, 1]")}],
        [{"a": (NUMBER, "2")}, {"a": (TEXT, "1")}],
    ),
    "anything but numbers": (
        {"a": [{"anything-but": [100, 500]}]},
        [{"a": (NUMBER, "100.1")}, {"a": (ARRAY, "[100, 50]")}],
        [{"a": (NUMBER, "100")}, {"a": (ARRAY, "[100, 500]")}, {}],
    ),
    "does not exist": (
        {"a": [{"exists": False}]},
        [{"b": (TEXT, "x")}],
        [{"a": (TEXT, "x")}, {}],
    ),
    "alternatives": (
        {"a": ["x"], "$or": [{"b": ["1"]}, {"c": [1]}]},
        [{"a": (TEXT, "x"), "b": (TEXT, "1")}, {"a": (TEXT, "x"), "c": (NUMBER, "1")}],
        [{"a": (TEXT, "x")}, {"b": (TEXT, "1")}],
    ),
}


def delivered(aws: Aws, policy: Json, scope: str, messages: list[Json]) -> list[str]:
    """Publish messages to a topic with one subscription and return the bodies of those that it lets through."""
    topic = aws.topic()
    url, arn = aws.inbox(topic)
    settings = {"FilterPolicy": json.dumps(policy), "FilterPolicyScope": scope, "RawMessageDelivery": "true"}
    aws.subscribe(topic, "sqs", arn, **settings)
    for message in messages:
        aws.sns.publish(TopicArn=topic, **message)
    # The fan-out is over when SNS answers.
    return [message["Body"] for message in [*aws.messages(url), *aws.messages(url)]]


@pytest.mark.parametrize("case", BODIES)
def test_a_body_is_filtered(aws: Aws, case: str) -> None:
    policy, through, kept = BODIES[case]
    messages = [{"Message": json.dumps(body)} for body in (*through, *kept)]
    found = delivered(aws, policy, "MessageBody", messages)
    assert sorted(found) == sorted(json.dumps(body) for body in through)


@pytest.mark.parametrize("case", ATTRIBUTES)
def test_attributes_are_filtered(aws: Aws, case: str) -> None:
    policy, through, kept = ATTRIBUTES[case]
    messages = [
        {
            "Message": json.dumps(attributes),
            "MessageAttributes": {
                name: {"DataType": kind, "StringValue": value} for name, (kind, value) in attributes.items()
            },
        }
        for attributes in (*through, *kept)
    ]
    found = delivered(aws, policy, "MessageAttributes", messages)
    assert sorted(found) == sorted(json.dumps(attributes) for attributes in through)


def test_a_filter_ignores_binary_attributes(aws: Aws) -> None:
    binary = {"DataType": "Binary", "BinaryValue": b"x"}
    text = {"DataType": "String", "StringValue": "x"}
    messages: list[Json] = [
        {"Message": "both", "MessageAttributes": {"a": binary, "b": text}},
        {"Message": "binary only", "MessageAttributes": {"a": binary}},
    ]
    assert delivered(aws, {"a": [{"exists": False}]}, "MessageAttributes", messages) == ["both"]
    assert delivered(aws, {"a": [{"exists": True}]}, "MessageAttributes", messages) == []


def test_upstream_still_filters_bodies_by_text(upstream: Aws) -> None:
    def through(policy: Json, body: Json) -> bool:
        return bool(delivered(upstream, policy, "MessageBody", [{"Message": json.dumps(body)}]))

    assert through({"a": [100]}, {"a": "100"})
    assert through({"a": [True]}, {"a": "true"})
    assert not through({"a": [None]}, {"a": None})
    assert not through({"a": {"b": ["x"]}}, {"a": [{"b": "x"}]})
    assert not through({"a.b": ["x"]}, {"a": {"b": "x"}})
