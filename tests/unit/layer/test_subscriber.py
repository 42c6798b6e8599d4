"""The runtime: the outcome of an event for what its handler returns or raises."""

import json
import time
from collections.abc import Callable
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from fanout import aws, queue
from fanout.claim_check import ClaimChecks
from fanout.contracts import contract
from fanout.contracts.team_events import TeamMessagePosted
from fanout.delivery import Notification
from fanout.event import Event, encode
from fanout.handler import Subscriber, subscriber
from fanout.outcomes import Discard, Outcome, Reject, Retry
from fanout.testing import (
    LambdaContext,
    envelope_record,
    failed_invocation,
    lambda_event,
    notification,
    sns_record,
    sqs_record,
)

from ..conftest import Queues, spy

Lines = Callable[[str], list[dict[str, Any]]]


def event(text: str = "hi", **attributes: Any) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test", **attributes)


@subscriber(TeamMessagePosted)
def obey(event: Event[TeamMessagePosted]) -> Outcome | None:
    """Act as the text says."""
    match event.data.text.split():
        case ["retry", seconds]:
            raise Retry("as asked", after=float(seconds))
        case ["retry"]:
            raise Retry
        case ["reject"]:
            raise Reject("as-asked", "by a test")
        case ["discard"]:
            raise Discard("as-asked", "by a test")
        case ["fail"]:
            raise ValueError("ada@example.com")
        case ["throttled"]:
            raise ClientError({"Error": {"Code": "ThrottlingException", "Message": "ada@example.com"}}, "PutItem")
        case ["wrapped"]:
            try:
                raise ClientError({"Error": {"Code": "AccessDeniedException"}}, "GetParameter")
            except ClientError as error:
                raise LookupError("no parameter") from error
        case ["sleep", seconds]:
            time.sleep(float(seconds))
        case ["duplicate"]:
            return Outcome.DUPLICATE
    return None


def run(handler: Subscriber, *records: dict[str, Any], timeout: float = 30) -> list[str]:
    """Run a batch from SQS; return the message ids reported as failed."""
    response = handler(lambda_event(records), LambdaContext(timeout))
    assert response is not None
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def outcomes(lines: Lines) -> list[tuple[str, str | None]]:
    return [(receipt["outcome"], receipt["reason"]) for receipt in lines("receipt")]


@pytest.mark.parametrize("form", [sqs_record, envelope_record, sns_record])
def test_an_event_is_parsed_from_every_way_of_delivery(
    form: Callable[..., dict[str, Any]], queues: Queues, lines: Lines
) -> None:
    seen: list[Event[TeamMessagePosted]] = []
    handler = subscriber(TeamMessagePosted)(seen.append)
    sent = event()
    handler(lambda_event([form(sent)]), LambdaContext())
    assert seen == [sent]
    assert [receipt["event_id"] for receipt in lines("receipt")] == [sent.id]


@pytest.mark.guarantee("at-least-once/unexpected-exception")
def test_every_answer_of_a_handler_has_its_outcome(queues: Queues, lines: Lines) -> None:
    texts = ["fine", "duplicate", "discard", "reject", "retry 60", "fail"]
    records = [queues.put(encode(event(text)).decode()) for text in texts]
    failed = run(obey, *records)
    assert failed == [records[4]["messageId"], records[5]["messageId"]]
    assert outcomes(lines) == [
        ("processed", None),
        ("duplicate", None),
        ("discarded", "as-asked: by a test"),
        ("rejected", "as-asked: by a test"),
        ("retrying", "as asked"),
        ("retrying", "ValueError"),
    ]
    assert [letter["reason"] for letter in queues.dead()] == ["as-asked: by a test"]


@pytest.mark.guarantee("dead-letters/reason", "dead-letters/publication")
def test_a_dead_letter_has_subscriber_reason_event_and_the_original_body(queues: Queues) -> None:
    sent = event("reject")
    record = sqs_record(sent, receive_count=3)
    run(obey, record)
    [letter] = queues.dead()
    assert json.loads(letter.pop("body"))["id"] == sent.id
    assert letter.pop("rejected_at")
    published = json.loads(letter.pop("fanout"))
    assert published.pop("message_id") == record["messageId"], "a raw body does not hold it, and a redrive needs it"
    assert set(published) == {"timestamp"}
    assert letter == {
        "outcome": "rejected",
        "reason": "as-asked: by a test",
        "code": "as-asked",
        "subscriber": "team_events/team_a",
        "event_id": sent.id,
        "event_type": "team.message.posted.v1",
        "attempts": "3",
    }


@pytest.mark.guarantee("isolation/poison-in-turn", "no-silent-drop/unknown-type")
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("hello", "invalid-event"),
        ("{broken", "invalid-event"),
        ("{}", "invalid-event"),
        (encode(event()).decode().replace('"id"', '"ident"'), "invalid-event"),
        (encode(event()).decode().replace("Ada", ""), "invalid-event: team.message.posted.v1"),
        (encode(event()).decode().replace("posted.v1", "posted.v9"), "unknown-type"),
    ],
)
def test_poison_is_rejected_and_does_not_affect_its_neighbours(
    body: str, reason: str, queues: Queues, lines: Lines
) -> None:
    failed = run(obey, sqs_record(event()), sqs_record(body), sqs_record(event()))
    assert failed == []
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "rejected", "processed"]
    [letter] = queues.dead()
    assert letter["body"] == body
    assert letter["reason"].startswith(reason)
    assert letter["code"] == reason.partition(":")[0]


def test_an_event_of_a_known_type_that_is_not_handled_is_discarded(queues: Queues, lines: Lines) -> None:
    @contract("other.thing.v1", topic="Other")
    class OtherThing(msgspec.Struct):
        x: int

    run(obey, sqs_record(Event.new(OtherThing(x=1), source="urn:test")))
    assert outcomes(lines) == [("discarded", "not-handled: this subscriber does not handle other.thing.v1")]


def test_an_aws_error_that_a_library_wraps_is_named(queues: Queues, lines: Lines) -> None:
    run(obey, queues.put(encode(event("wrapped")).decode()))
    assert outcomes(lines) == [("retrying", "LookupError (AccessDeniedException)")]


@pytest.mark.guarantee("personal-data/exception-message")
def test_personal_data_in_an_exception_stays_out_of_log_and_dead_letter(
    queues: Queues, capsys: pytest.CaptureFixture[str]
) -> None:
    run(obey, sqs_record(event("fail"), receive_count=10), sqs_record(event("throttled")))
    written = capsys.readouterr().out
    assert "ada@example.com" not in written
    assert "ClientError (ThrottlingException)" in written
    assert "ada@example.com" not in queues.dead()[0]["reason"]


def test_a_retry_makes_its_message_invisible_for_the_given_time(queues: Queues) -> None:
    record = queues.put(encode(event("retry 60")).decode())
    aws.client("sqs").change_message_visibility(
        QueueUrl=queues.inbox, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=3600
    )
    calls = spy("sqs", "ChangeMessageVisibility")
    run(obey, record)
    assert [call["VisibilityTimeout"] for call in calls] == [60]


@pytest.mark.guarantee("bounded-retry/backoff")
def test_backoff_over_all_attempts_lasts_two_hours_or_more() -> None:
    for _ in range(50):
        assert sum(queue.backoff(attempt, 15) for attempt in range(1, 10)) >= 7200
    assert max(queue.backoff(attempt, 15) for attempt in range(1, 1000)) <= 3600 * 1.25


@pytest.mark.guarantee("bounded-retry/final-attempt")
def test_the_final_attempt_is_dead_lettered_with_its_reason(queues: Queues, lines: Lines) -> None:
    assert run(obey, sqs_record(event("fail"), receive_count=10)) == []
    assert outcomes(lines) == [("dead-lettered", "gave up after 10 attempts: ValueError")]
    [letter] = queues.dead()
    assert (letter["outcome"], letter["attempts"]) == ("dead-lettered", "10")


@pytest.mark.guarantee("bounded-retry/direct-delivery")
def test_a_direct_delivery_is_retried_through_the_queue_and_keeps_its_count(queues: Queues, lines: Lines) -> None:
    record = sns_record(event("fail"))
    assert obey(lambda_event([record]), LambdaContext()) is None
    assert queues.inbox_counts() == (0, 1), "one message, delayed by the back-off"
    [first] = lines("receipt")
    sent = spy("sqs", "SendMessage")
    obey(lambda_event([record]), LambdaContext())
    again = sqs_record(
        sent[0]["MessageBody"], attributes={"fanout": sent[0]["MessageAttributes"]["fanout"]["StringValue"]}
    )
    run(obey, again)
    second = lines("receipt")[-1]
    assert (first["attempt"], second["attempt"]) == (1, 2)
    assert first["message_id"] == second["message_id"] == record["Sns"]["MessageId"]
    assert first["published_at"] == second["published_at"]


def test_a_rejected_direct_delivery_becomes_a_dead_letter_with_the_sns_envelope(queues: Queues) -> None:
    record = sns_record("no event")
    obey(lambda_event([record]), LambdaContext())
    [letter] = queues.dead()
    body = json.loads(letter["body"])
    assert (body["Type"], body["Message"], body["MessageId"]) == (
        "Notification",
        "no event",
        record["Sns"]["MessageId"],
    )
    assert letter["reason"].startswith("invalid-event")


@pytest.mark.parametrize("text", ["ok", "retry"])
def test_a_failed_invocation_in_the_queue_is_read_as_its_event(text: str, queues: Queues, lines: Lines) -> None:
    sent = event(text)
    record = sns_record(sent, subject="about it")
    run(obey, sqs_record(json.dumps(failed_invocation(record, condition="ZeroReservedConcurrency"))))
    [receipt] = lines("receipt")
    assert (receipt["event_id"], receipt["message_id"]) == (sent.id, record["Sns"]["MessageId"])
    assert receipt["attempt"] == 1
    assert receipt["outcome"] == {"ok": "processed", "retry": "retrying"}[text]


@pytest.mark.parametrize(
    "payload",
    [
        {"n": 1},
        {"Records": []},
        {"Records": [{"eventSource": "aws:s3"}]},
        {"Records": [{"Sns": {"Message": "no id"}}]},
        {"Records": "x"},
        None,
    ],
    ids=str,
)
def test_a_failed_invocation_that_sns_did_not_make_is_poison(payload: Any, queues: Queues, lines: Lines) -> None:
    body = {"requestContext": {"condition": "RetriesExhausted"}, "requestPayload": payload}
    assert run(obey, sqs_record(json.dumps(body)), sqs_record(event("ok"))) == []
    assert [outcome for outcome, _ in outcomes(lines)] == ["rejected", "processed"]


@pytest.mark.guarantee("at-least-once/direct-delivery")
def test_a_direct_delivery_that_cannot_reach_its_queue_is_left_to_lambda(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FANOUT_QUEUE_URL", f"{queues.inbox}-gone")
    handler = subscriber(TeamMessagePosted)(obey.__wrapped__)  # type: ignore[attr-defined]
    with pytest.raises(ClientError):
        handler(lambda_event([sns_record(event("fail"))]), LambdaContext())


@pytest.mark.guarantee("at-least-once/reject-waits-for-dlq")
def test_a_rejection_that_cannot_reach_the_dead_letter_queue_leaves_the_message_in_its_queue(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setenv("FANOUT_DEAD_LETTER_URL", f"{queues.dead_letters}-gone")
    handler = subscriber(TeamMessagePosted)(obey.__wrapped__)  # type: ignore[attr-defined]
    record = sqs_record(event("reject"))
    assert run(handler, record) == [record["messageId"]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["retrying"]


@pytest.mark.guarantee("isolation/deadline-releases", "isolation/slow-record")
def test_a_slow_record_is_interrupted_before_the_deadline_and_its_neighbours_are_released(
    queues: Queues, lines: Lines
) -> None:
    texts = ["fine", "sleep 30", "fine", "fine"]
    records = [queues.put(encode(event(text)).decode()) for text in texts]
    started = time.monotonic()
    failed = run(obey, *records, timeout=1.5)
    assert time.monotonic() - started < 1.5, "the function must end before Lambda kills it"
    assert failed == [records[1]["messageId"]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "retrying"]
    assert queues.inbox_counts()[0] == 2, "the two that were not attempted are in the queue again, as new messages"


@pytest.mark.guarantee("bounded-retry/released-message")
def test_a_message_released_thirty_times_without_an_attempt_is_not_dead_lettered(queues: Queues, lines: Lines) -> None:
    slow = sqs_record(event("sleep 30"))
    victim = queues.put(encode(event("fail")).decode())
    for _ in range(30):
        slow["attributes"]["ApproximateReceiveCount"] = "1"
        assert victim["messageId"] not in run(obey, slow, victim, timeout=0.3)
        [victim] = queues.receive()
    run(obey, victim)
    last = lines("receipt")[-1]
    assert (last["outcome"], last["attempt"]) == ("retrying", 1), "its first failure is not its last chance"
    assert queues.dead() == []


@pytest.mark.guarantee("bounded-retry/long-delay")
def test_a_retry_beyond_sqss_maximum_delay_is_not_delivered_earlier(queues: Queues, lines: Lines) -> None:
    sent = spy("sqs", "SendMessage")
    obey(lambda_event([sns_record(event("retry 7200"))]), LambdaContext())
    carried = sent[0]["MessageAttributes"]["fanout"]["StringValue"]
    assert sent[0]["DelaySeconds"] == 900
    early = sqs_record(sent[0]["MessageBody"], attributes={"fanout": carried})
    assert run(obey, early) == [], "released: acknowledged here and sent anew"
    assert sent[1]["DelaySeconds"] == 900
    assert json.loads(sent[1]["MessageAttributes"]["fanout"]["StringValue"])["attempts"] == 1
    assert len(lines("receipt")) == 1, "nothing has become of it yet"


@pytest.mark.guarantee("order-per-group/failure-blocks-group")
def test_in_a_fifo_queue_a_failure_blocks_only_its_own_group(queues: Queues, lines: Lines) -> None:
    records = [
        sqs_record(event(text), group=group)
        for text, group in [
            ("fine", "a"),
            ("retry 0", "a"),
            ("fine", "b"),
            ("fine", "a"),
            ("reject", "b"),
            ("fine", "b"),
        ]
    ]
    failed = run(obey, *records)
    assert failed == [records[1]["messageId"], records[3]["messageId"]]
    assert [outcome for outcome, _ in outcomes(lines)] == [
        "processed",
        "retrying",
        "processed",
        "rejected",
        "processed",
    ]


@pytest.mark.guarantee("at-least-once/partial-response")
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
@given(
    texts=st.lists(
        st.sampled_from(["fine", "duplicate", "discard", "reject", "retry 5", "fail"]), min_size=1, max_size=10
    )
)
def test_a_partial_response_lists_exactly_the_records_to_retry(texts: list[str], queues: Queues, lines: Lines) -> None:
    records = [sqs_record(event(text)) for text in texts]
    expected = [record["messageId"] for record, text in zip(records, texts, strict=True) if text in {"retry 5", "fail"}]
    lines("receipt")
    assert run(obey, *records) == expected
    assert len(lines("receipt")) == len(texts), "one receipt for each"


def test_one_received_line_is_written_before_the_work(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    order: list[str] = []
    handler = subscriber(TeamMessagePosted)(lambda event: order.append(capsys.readouterr().out))
    sent = event()
    run(handler, sqs_record(sent, receive_count=2))
    received = json.loads(order[0].splitlines()[0])
    assert received["message"] == "received"
    assert [(record["event_id"], record["attempt"]) for record in received["records"]] == [(sent.id, 2)]


def test_no_received_line_of_a_large_batch_is_too_long_for_lambda(queues: Queues, lines: Lines) -> None:
    """Lambda cuts a line above 256 KB: https://github.com/newrelic/newrelic-lambda-layers/pull/350."""
    longest = [msgspec.structs.replace(event(), id=f"{number:04}" + "\x01" * 252) for number in range(250)]
    run(obey, *map(sqs_record, longest))
    received = lines("received")
    assert [len(line["records"]) for line in received] == [100, 100, 50]
    assert [record["event_id"] for line in received for record in line["records"]] == [each.id for each in longest]
    assert all(len(json.dumps(line)) < 256_000 for line in received)


@pytest.mark.guarantee("personal-data/receipt-fields")
def test_a_receipt_carries_the_filterable_fields_and_no_other_data(queues: Queues, lines: Lines) -> None:
    data = TeamMessagePosted(text="secret", author="Ada", audience=("team_a",))
    run(obey, sqs_record(Event.new(data, source="urn:test")))
    [receipt] = lines("receipt")
    assert receipt["fields"] == {"audience": ["team_a"]}
    assert "secret" not in json.dumps(receipt)
    assert receipt["age_ms"] >= 0
    assert receipt["subscriber"] == "team_events/team_a"


def test_a_batch_writes_one_line_of_metrics(queues: Queues, capsys: pytest.CaptureFixture[str]) -> None:
    run(obey, sqs_record(event()), sqs_record(event()), sqs_record(event("reject")))
    [metrics] = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    assert metrics["processed"] == [2.0]
    assert metrics["rejected"] == [1.0]
    assert metrics["service"] == "team_events/team_a"


def test_an_event_without_a_time_has_that_of_its_publishing(queues: Queues) -> None:
    seen: list[Event[TeamMessagePosted]] = []
    handler = subscriber(TeamMessagePosted)(seen.append)
    body = {"specversion": "1.0", "id": "1", "source": "s", "type": "team.message.posted.v1"}
    record = sns_record(json.dumps({**body, "data": {"text": "hi", "author": "Ada"}}))
    handler(lambda_event([record]), LambdaContext())
    assert seen[0].occurred_at.isoformat(timespec="milliseconds").replace("+00:00", "Z") == record["Sns"]["Timestamp"]


def test_translate_is_called_first_and_may_discard(queues: Queues, lines: Lines) -> None:
    def translate(notification: Notification) -> Event[Any] | None:
        if notification.text == "no":
            raise Discard("no-event", "not for events")
        return event("fine") if notification.text == "yes" else None

    handler = subscriber(TeamMessagePosted, translate=translate)(obey.__wrapped__)  # type: ignore[attr-defined]
    run(handler, *(envelope_record(text) for text in ("yes", "no", "neither")))
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "discarded", "rejected"]


def test_a_claim_check_is_retrieved_before_the_handler_sees_the_event(
    queues: Queues, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="claims")
    seen: list[Event[TeamMessagePosted]] = []
    handler = subscriber(TeamMessagePosted)(seen.append)
    whole = event("a very long text")
    stub = ClaimChecks("claims", "team_events").store(whole)
    run(handler, sqs_record(stub))
    assert outcomes(lines)[0][0] == "rejected", "no bucket is configured"
    monkeypatch.setenv("FANOUT_CLAIM_CHECK_BUCKET", "claims")
    run(handler, sqs_record(stub))
    assert seen == [whole]


@pytest.mark.guarantee("hostile-input/forged-delay")
@pytest.mark.parametrize(
    "forged",
    [
        '{"not_before":"2026-01-01T00:00:00"}',  # no zone
        '{"not_before":"2099-01-01T00:00:00Z"}',
        '{"timestamp":"2026-01-01T00:00:00"}',
        '{"attempts":-5}',
        '{"attempts":"x"}',
        '{"attempts":1' + "0" * 4_000 + "}",
        '{"timestamp":"0001-01-01T00:00:00+14:00"}',
        '{"message_id":"' + "x" * 100_000 + '"}',
        '{"unknown":' + "[" * 100_000,
        "[]",
    ],
)
def test_an_attribute_that_a_publisher_forged_is_ignored(queues: Queues, lines: Lines, forged: str) -> None:
    attributes = {"fanout": forged}
    assert run(obey, sqs_record(event("fine"), attributes=attributes), sqs_record(event("fine"))) == []
    assert outcomes(lines) == [("processed", None), ("processed", None)]


@pytest.mark.parametrize(
    "forged",
    [
        {"Timestamp": "2026-01-01T00:00:00"},  # no zone
        {"Timestamp": "0001-01-01T00:00:00+14:00"},
        {"MessageId": "x" * 100_000},
        {"MessageId": ""},
        {"TopicArn": "x" * 100_000},
    ],
)
def test_a_forged_sns_envelope_is_rejected(queues: Queues, lines: Lines, forged: dict[str, str]) -> None:
    body = json.dumps({**notification(event()), **forged})
    assert run(obey, sqs_record(body), sqs_record(event("fine"))) == []
    [rejected, fine] = lines("receipt")
    assert (rejected["outcome"], fine["outcome"]) == ("rejected", "processed")
    assert len(rejected["message_id"]) < 100


@pytest.mark.parametrize(
    "missing", [{"ApproximateReceiveCount": None}, {"ApproximateReceiveCount": "many"}, {"SentTimestamp": None}]
)
def test_a_malformed_record_is_reported_as_failed_and_its_neighbours_are_handled(
    queues: Queues, lines: Lines, missing: dict[str, Any]
) -> None:
    odd = sqs_record(event())
    odd["attributes"] = {name: value for name, value in {**odd["attributes"], **missing}.items() if value is not None}
    assert run(obey, sqs_record(event("fine")), odd, sqs_record(event("fine"))) == [odd["messageId"]]
    assert [outcome for outcome, _ in outcomes(lines)] == ["processed", "processed"]
    assert run(obey, odd) == [odd["messageId"]]


def test_a_reason_of_a_megabyte_is_cut_for_the_log(queues: Queues, lines: Lines) -> None:
    def complain(_: Event[TeamMessagePosted]) -> None:
        raise Reject("long", "A" * 1_000_000)

    run(subscriber(TeamMessagePosted)(complain), sqs_record(event()))
    [(outcome, reason)] = outcomes(lines)
    assert outcome == "rejected"
    assert len(reason or "") == 1_000


def test_an_invalid_value_of_a_megabyte_is_never_quoted(queues: Queues, lines: Lines) -> None:
    run(obey, sqs_record(json.dumps({"specversion": "A" * 1_000_000})))
    said_of_it = "invalid-event: not a CloudEvents 1.0 event: Invalid enum value - at `$.specversion`"
    assert outcomes(lines) == [("rejected", said_of_it)]


@pytest.mark.parametrize(
    ("made", "problem"),
    [
        ({"id": "x" * 257}, "`$.id`"),
        ({"source": ""}, "`$.source`"),
        ({"data": TeamMessagePosted(text="", author="Ada")}, "`$.data.text`"),
        ({"data": TeamMessagePosted(text="\ud800", author="Ada")}, "surrogates not allowed"),
    ],
)
def test_an_event_made_from_a_foreign_message_must_satisfy_envelope_and_contract(
    queues: Queues, lines: Lines, made: dict[str, Any], problem: str
) -> None:
    whole = {"id": "1", "source": "urn:test", "data": TeamMessagePosted(text="hi", author="Ada"), **made}
    handler = subscriber(TeamMessagePosted, translate=lambda _: Event.new(**whole))(lambda _: None)
    run(handler, envelope_record("foreign"))
    [(outcome, reason)] = outcomes(lines)
    assert outcome == "rejected"
    assert reason is not None
    assert reason.startswith("invalid-event: ")
    assert problem in reason


def test_a_stored_event_without_a_time_has_that_of_its_publishing(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="claims")
    monkeypatch.setenv("FANOUT_CLAIM_CHECK_BUCKET", "claims")
    seen: list[Event[TeamMessagePosted]] = []
    stub = ClaimChecks("claims", "team_events").store(msgspec.structs.replace(event(), time=None))
    record = sqs_record(stub)
    run(subscriber(TeamMessagePosted)(seen.append), record)
    assert seen[0].occurred_at.timestamp() * 1000 == float(record["attributes"]["SentTimestamp"])


def test_the_code_of_a_rejection_and_of_a_discard_is_a_field_of_the_receipt(lines: Lines, queues: Queues) -> None:
    run(obey, *(sqs_record(event(text)) for text in ("fine", "reject", "discard", "retry")))
    assert [receipt["code"] for receipt in lines("receipt")] == [None, "as-asked", "as-asked", None]
