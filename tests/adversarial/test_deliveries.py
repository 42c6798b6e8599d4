"""What stands around a body: SNS's envelope, Lambda's records, SQS's attributes; all of it may be forged or broken."""

import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fanout import delivery
from fanout.testing import failed_invocation, notification
from tests.adversarial import corpus
from tests.adversarial.test_subscribers import SUBJECTS, assert_bounded, every_third, neighbours
from tests.adversarial.world import Record, Subject, World, subjects

LATER = (datetime.now(UTC) + timedelta(days=3)).isoformat()
ATTRIBUTES: dict[str, dict[str, str]] = {
    **{
        f"fanout {label}": {"fanout": value}
        for label, value in {
            "no JSON": "x",
            "of another kind": "[]",
            "a bomb": "[" * corpus.DEEP,
            "with an unknown field": '{"attempts":0,"x":1}',
            "less than no attempts": '{"attempts":-1}',
            "attempts without end": '{"attempts":' + "9" * 4_000 + "}",
            "attempts beyond 64 bits": '{"attempts":18446744073709551616}',
            "attempts a fraction": '{"attempts":0.5}',
            "a long message id": json.dumps({"message_id": "m" * 200_000}),
            "an empty message id": '{"message_id":""}',
            "a message id that is injected": json.dumps({"message_id": corpus.INJECTION}),
            "a time without a zone": '{"timestamp":"2026-01-01T00:00:00"}',
            "the first year": '{"timestamp":"0001-01-01T00:00:00+14:00"}',
            "the last year": '{"timestamp":"9999-12-31T23:59:59-14:00"}',
            "put off for years": '{"not_before":"2999-01-01T00:00:00Z"}',
            "put off into the past": '{"not_before":"0001-01-01T00:00:00+14:00"}',
            "put off to the end of time": '{"not_before":"9999-12-31T23:59:59-14:00"}',
        }.items()
    },
    "those of a dead letter": {
        "outcome": "dead-lettered",
        "reason": corpus.INJECTION,
        "subscriber": "other/other",
        "event_id": "x" * 100_000,
        "event_type": "x",
        "attempts": "1000000",
        "rejected_at": "yesterday",
    },
    "ten long ones": {f"name{number}": "v" * 20_000 for number in range(10)},
}
"""Attributes that a producer can add to a valid event under raw delivery."""


@SUBJECTS
def test_a_good_event_with_forged_attributes_is_treated_as_without_them(world: World, subject: Subject) -> None:
    event = json.loads(neighbours(subject)[0])
    records = [subject.record(corpus.text({**event, "id": name})) for name in ATTRIBUTES]
    world.forget()
    without = world.call(subject, records).outcomes()
    world.forget()
    answer = world.call(
        subject, [_with(record, ATTRIBUTES[name]) for name, record in zip(ATTRIBUTES, records, strict=True)]
    )
    assert dict(zip(ATTRIBUTES, answer.outcomes(), strict=True)) == dict(zip(ATTRIBUTES, without, strict=True))
    assert_bounded(answer, len(records))


def _with(record: Record, attributes: dict[str, str]) -> Record:
    """The record with these attributes and a binary one."""
    given = {
        name: {"stringValue": value, "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        for name, value in attributes.items()
    }
    return {**record, "messageAttributes": {**given, "binary": {"binaryValue": "AA==", "dataType": "Binary"}}}


BROKEN_SYSTEM: dict[str, dict[str, Any]] = {
    "no count": {"ApproximateReceiveCount": None},
    "a count in words": {"ApproximateReceiveCount": "many"},
    "an endless count": {"ApproximateReceiveCount": "9" * 5_000},
    "no time": {"SentTimestamp": None},
    "a time in words": {"SentTimestamp": "yesterday"},
    "a time out of range": {"SentTimestamp": "9" * 30},
}


@pytest.mark.parametrize("name", ["audit_logs/record", "order_workflow/payment", "application_logs/archive"])
def test_a_record_with_broken_system_attributes_comes_again_and_its_neighbours_do_not(world: World, name: str) -> None:
    """SQS writes these, so a producer cannot forge them. If they are broken, SQS dead-letters the message."""
    subject = _named(name)
    first, last = (subject.record(body) for body in neighbours(subject))
    odd = []
    for changes in BROKEN_SYSTEM.values():
        record = subject.record(neighbours(subject)[0])
        system = {**record["attributes"], **changes}
        record["attributes"] = {each: value for each, value in system.items() if value is not None}
        odd.append(record)
    answer = world.call(subject, [first, *odd, last])
    enveloped = subject.wire.delivery == "envelope"  # whose time is that of the envelope
    assert answer.failed == [each["messageId"] for each in (odd[:3] if enveloped else odd)]
    assert {outcome for outcome, _ in answer.outcomes()} <= {"processed", "duplicate"}


def _named(name: str) -> Subject:
    return next(subject for subject in subjects() if subject.name == name)


TIME = "2026-11-22T12:00:00.000Z"
ENVELOPES: dict[str, Any] = {
    "a time without a zone": {"Timestamp": "2026-11-22T12:00:00"},
    "a time that is none": {"Timestamp": "now"},
    "a number for a time": {"Timestamp": 1},
    "the first year": {"Timestamp": "0001-01-01T00:00:00+14:00"},
    "the last year": {"Timestamp": "9999-12-31T23:59:59-14:00"},
    "a very long id": {"MessageId": corpus.LONG},
    "no id": {"MessageId": None},
    "an empty id": {"MessageId": ""},
    "a very long topic": {"TopicArn": corpus.LONG},
    "another type": {"Type": "SubscriptionConfirmation"},
    "a type with a line break": {"Type": "Notification\n"},
    "a message that is an object": {"Message": {"specversion": "1.0"}},
    "a subject that is a list": {"Subject": ["x"]},
}


def wrapped(event: dict[str, Any]) -> dict[str, str]:
    """Return the event in invalid or inconsistent envelopes. None of them is an event."""
    body = corpus.text(event)
    envelope = notification(body)
    twice = json.dumps(notification(json.dumps(notification(body))))
    thousand = body
    for _ in range(10):
        thousand = json.dumps({"Type": "Notification", "Message": thousand})
    record = {"Sns": {"Message": body, "MessageId": "m", "TopicArn": "t", "Timestamp": TIME}}
    return {
        **{name: json.dumps({**envelope, **changes}) for name, changes in ENVELOPES.items()},
        "an envelope in an envelope": twice,
        "ten envelopes of which none is one": thousand,
        "a bomb that mentions a TopicArn": '{"TopicArn":' + "[" * corpus.DEEP,
        "a bomb that mentions a requestPayload": '{"requestPayload":' + "[" * corpus.DEEP,
        "Lambda's record without records": json.dumps({**failed_invocation(record), "requestPayload": {"Records": []}}),
        "Lambda's record of another service": json.dumps(failed_invocation({"s3": {}})),
        "Lambda's record of a record": json.dumps(
            failed_invocation({"Sns": {**record["Sns"], "Message": json.dumps(failed_invocation(record))}})
        ),
        "Lambda's record with numbers in it": json.dumps(
            failed_invocation({"Sns": dict.fromkeys(record["Sns"], 10**4_000)})
        ),
    }


@SUBJECTS
def test_a_body_in_invalid_envelopes_is_rejected(world: World, subject: Subject) -> None:
    """They arrive unchanged: a producer for a topic with raw delivery writes the whole body."""
    first, last = neighbours(subject)
    bodies = dict(every_third(subject, list(wrapped(json.loads(first)).items())))
    world.forget()
    alone = world.call(subject, [subject.record(first), subject.record(last)]).outcomes()
    world.forget()
    raw = [_raw(subject, body) for body in bodies.values()]
    answer = world.call(subject, [subject.record(first), *raw, subject.record(last)])
    outcomes = answer.outcomes()
    assert [outcomes[0], outcomes[-1]] == alone
    assert_bounded(answer, len(raw) + 2)
    results = dict(zip(bodies, outcomes[1:-1], strict=True))
    assert not {name: each for name, each in results.items() if each[0] != "rejected"}
    assert answer.failed == []


def _raw(subject: Subject, body: str) -> Record:
    record = subject.record("{}")
    record["body"] = body
    return record


DIRECT = [subject for subject in subjects() if subject.wire.delivery == "direct"]


@pytest.mark.parametrize("subject", DIRECT, ids=lambda subject: subject.name)
def test_what_sns_hands_to_a_function_itself_is_judged_alike(world: World, subject: Subject) -> None:
    first, last = neighbours(subject)
    cases = dict(every_third(subject, list(corpus.no_events(json.loads(first)).items())))
    records = [subject.direct(body) for body in (first, *cases.values(), last)]
    answer = world.call(subject, records)
    assert answer.response is None
    outcomes = answer.outcomes()
    assert "rejected" not in {outcomes[0][0], outcomes[-1][0]}
    assert {outcome for outcome, _ in outcomes[1:-1]} == {"rejected"}
    assert len(world.dead()) == len(cases)
    assert_bounded(answer, len(records))


@given(
    record=st.fixed_dictionaries(
        {"body": st.text() | st.sampled_from(["{}", "[" * corpus.DEEP]), "messageId": st.text(min_size=1)},
        optional={
            "attributes": st.dictionaries(
                st.sampled_from(["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"]), st.text()
            ),
            "messageAttributes": st.none()
            | st.dictionaries(
                st.sampled_from(["fanout", "x"]), st.fixed_dictionaries({}, optional={"stringValue": st.text()})
            ),
            "receiptHandle": st.text(),
            "eventSourceARN": st.text(),
        },
    )
)
def test_a_record_of_any_kind_is_read_or_refused_as_what_it_is(record: Record) -> None:
    with contextlib.suppress(KeyError, ValueError, OverflowError, OSError):
        delivery.read(record)


@given(text=st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_no_text_whatever_is_taken_for_lambdas_record_of_a_failed_invocation(text: str) -> None:
    assert delivery.of_failed_invocation(text) is None
