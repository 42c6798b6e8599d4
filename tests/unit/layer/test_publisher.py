"""Publishing: within the limits, every event accounted for."""

import json
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import msgspec
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from fanout.claim_check import ClaimChecks
from fanout.contracts.application_logs import LogEntry
from fanout.contracts.audit_logs import AuditRecorded
from fanout.contracts.batch_jobs import JobRequested, Parameters
from fanout.contracts.data_aggregation import SaleLine, StoreSale
from fanout.contracts.database_changes import RowChanged
from fanout.contracts.team_events import TeamMessagePosted
from fanout.event import Event, decode, decode_data, encode
from fanout.outcomes import Reject, Retry
from fanout.publisher import (
    MAX_BYTES,
    MAX_ENTRIES,
    Presentation,
    Publisher,
    PublishError,
    _Entry,
    message_group,
    publish,
    split,
)
from fanout.testing import REGION

TOPIC = "arn:aws:sns:us-east-1:123456789012:topic"


def event(text: str = "hi", id: str | None = None) -> Event[TeamMessagePosted]:
    return Event.new(TeamMessagePosted(text=text, author="Ada"), source="urn:test", id=id)


class Sns:
    """SNS's side of PublishBatch. `answers`: per request, {entry position: SenderFault} of the entries refused."""

    code = "InternalError"

    def __init__(self, *answers: dict[int, bool] | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[list[dict[str, Any]]] = []

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        entries = PublishBatchRequestEntries
        assert len(entries) <= MAX_ENTRIES
        assert sum(len(entry["Message"].encode()) for entry in entries) <= MAX_BYTES
        assert len({entry["Id"] for entry in entries}) == len(entries)
        self.requests.append(entries)
        answer = self._answers.pop(0) if self._answers else {}
        if isinstance(answer, Exception):
            raise answer
        return {
            "Successful": [
                {"Id": entry["Id"], "MessageId": f"m{entry['Id']}"}
                for position, entry in enumerate(entries)
                if position not in answer
            ],
            "Failed": [
                {"Id": entries[position]["Id"], "Code": self.code, "Message": "no", "SenderFault": fault}
                for position, fault in answer.items()
            ],
        }

    def ids(self, request: int) -> list[str]:
        return [json.loads(entry["Message"])["id"] for entry in self.requests[request]]


def publisher(sns: Sns, topic: str = TOPIC, **options: Any) -> Publisher:
    return Publisher(topic, client=sns, sleep=lambda _: None, **options)


@pytest.mark.guarantee("order-per-group/one-entry-per-request")
@given(st.lists(st.tuples(st.integers(1, MAX_BYTES), st.sampled_from([None, "a", "b"])), max_size=60))
def test_batches_keep_every_entry_in_order_and_within_the_limits(sizes: list[tuple[int, str | None]]) -> None:
    entries = [_Entry(key, str(key), "", size, group) for key, (size, group) in enumerate(sizes)]
    batches = list(split(entries))
    assert [entry.key for batch in batches for entry in batch] == list(range(len(entries)))
    for batch in batches:
        groups = [entry.group for entry in batch if entry.group]
        assert 1 <= len(batch) <= MAX_ENTRIES
        assert sum(entry.size for entry in batch) <= MAX_BYTES
        assert len(groups) == len(set(groups)), "two entries of one FIFO group in one batch could change places"


def test_results_come_in_the_order_of_the_events() -> None:
    events = [event() for _ in range(25)]
    published = publisher(Sns()).publish(events)
    assert [each.event_id for each in published] == [each.id for each in events]


@pytest.mark.guarantee("no-silent-drop/failed-entries-again")
def test_only_the_failed_entries_are_sent_again() -> None:
    sns = Sns({1: False, 3: False}, {0: False})
    events = [event(id=str(n)) for n in range(5)]
    published = publisher(sns).publish(events)
    assert [sns.ids(n) for n in range(3)] == [["0", "1", "2", "3", "4"], ["1", "3"], ["1"]]
    assert len(published) == 5


@pytest.mark.guarantee("no-silent-drop/unanswered-entry")
def test_an_entry_that_the_response_does_not_mention_is_sent_again_and_then_raised() -> None:
    class Forgetful(Sns):
        def publish_batch(self, **request: Any) -> dict[str, Any]:
            answer = super().publish_batch(**request)
            last = request["PublishBatchRequestEntries"][-1]["Id"]
            return {**answer, "Successful": [each for each in answer["Successful"] if each["Id"] != last]}

    sns = Forgetful()
    with pytest.raises(PublishError) as raised:
        publisher(sns, attempts=3).publish([event(id="answered"), event(id="unanswered")])
    assert [entry.event_id for entry in raised.value.published] == ["answered"]
    assert [(entry.event_id, entry.code, entry.is_final) for entry in raised.value.failed] == [
        ("unanswered", "NoAnswer", False)
    ]
    assert [sns.ids(number) for number in range(3)] == [["answered", "unanswered"], ["unanswered"], ["unanswered"]]


@pytest.mark.guarantee("no-silent-drop/refused-entry")
def test_what_remains_unpublished_is_raised_entry_by_entry() -> None:
    sns = Sns({0: True}, *[{0: False}] * 10)
    events = [event(id="bad"), *[event(id=str(n)) for n in range(9)], event(id="never")]
    with pytest.raises(PublishError) as raised:
        publisher(sns, attempts=3).publish(events)
    assert [entry.event_id for entry in raised.value.failed] == ["bad", "never"]
    assert [entry.event_id for entry in raised.value.published] == [str(n) for n in range(9)]
    assert len(sns.requests) == 1 + 3, "a sender's fault is not tried again; another is, as often as allowed"


def test_a_failed_request_does_not_affect_the_other_batches() -> None:
    error = ClientError({"Error": {"Code": "AuthorizationError", "Message": "no"}}, "PublishBatch")
    with pytest.raises(PublishError) as raised:
        publisher(Sns(error)).publish([event(id=str(n)) for n in range(15)])
    assert [entry.event_id for entry in raised.value.failed] == [str(n) for n in range(10)]
    assert {entry.code for entry in raised.value.failed} == {"AuthorizationError"}
    assert len(raised.value.published) == 5


def test_an_event_too_large_without_a_claim_check_fails_alone() -> None:
    with pytest.raises(PublishError) as raised:
        publisher(Sns()).publish([event(), event("x" * MAX_BYTES, id="large"), event()])
    assert [(entry.event_id, entry.code) for entry in raised.value.failed] == [("large", "TooLarge")]
    assert len(raised.value.published) == 2


def test_workers_publish_the_same_events_as_one() -> None:
    sns = Sns()
    events = [event() for _ in range(95)]
    published = publisher(sns, workers=4).publish(events)
    assert [each.event_id for each in published] == [each.id for each in events]
    assert len(sns.requests) == 10


@pytest.mark.guarantee("order-per-group/nothing-after-failed-entry")
def test_on_a_fifo_topic_nothing_overtakes_a_failed_event_of_its_group() -> None:
    sns = Sns({0: True})
    with pytest.raises(PublishError) as raised:
        publisher(sns, f"{TOPIC}.fifo").publish([event(id="1"), event(id="2"), event(id="3")])
    assert [(entry.event_id, entry.code) for entry in raised.value.failed] == [
        ("1", "InternalError"),
        ("2", "GroupBlocked"),
        ("3", "GroupBlocked"),
    ]
    assert len(sns.requests) == 1


@pytest.mark.guarantee("exactly-once-effect/fifo-deduplication")
def test_on_a_fifo_topic_the_same_event_has_the_same_deduplication_id() -> None:
    sns = Sns()
    publisher(sns, f"{TOPIC}.fifo").publish([event(id="1"), event(id="1"), event(id="2")])
    ids = [entry["MessageDeduplicationId"] for request in sns.requests for entry in request]
    assert ids[0] == ids[1] != ids[2]
    assert all(entry["MessageGroupId"] for request in sns.requests for entry in request)


@pytest.fixture
def claim_checks(cloud: None) -> ClaimChecks:
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="claims")
    return ClaimChecks("claims", "team_events")


@pytest.mark.guarantee("no-silent-drop/large-event", "no-silent-drop/stub-fields")
def test_a_large_event_is_published_as_a_stub_with_its_filter_fields_and_retrieved_whole(
    claim_checks: ClaimChecks,
) -> None:
    sns = Sns()
    large = Event.new(TeamMessagePosted(text="x" * MAX_BYTES, author="Ada", audience=("team_a",)), source="urn:test")
    publisher(sns, claim_checks=claim_checks).publish([large])
    stub = decode(sns.requests[0][0]["Message"])
    assert json.loads(bytes(stub.data)) == {"audience": ["team_a"]}
    assert decode_data(claim_checks.retrieve(stub), TeamMessagePosted) == large


@pytest.mark.guarantee("hostile-input/stored-digest", "hostile-input/stored-event")
def test_a_claim_check_of_nothing_or_of_another_event_is_rejected(claim_checks: ClaimChecks) -> None:
    s3 = boto3.client("s3", region_name=REGION)
    stub = claim_checks.store(event())
    raw = decode(
        json.dumps(
            {
                "specversion": "1.0",
                "id": stub.id,
                "source": stub.source,
                "type": stub.type,
                "claimcheck": stub.claimcheck,
                "data": {},
            }
        )
    )
    forged = decode(
        json.dumps(
            {
                "specversion": "1.0",
                "id": "other",
                "source": stub.source,
                "type": stub.type,
                "claimcheck": stub.claimcheck,
                "data": {},
            }
        )
    )
    with pytest.raises(Reject, match="claim-check-mismatch"):
        claim_checks.retrieve(forged)
    s3.put_object(Bucket="claims", Key=f"team_events/{stub.claimcheck}", Body=b"altered")
    with pytest.raises(Reject, match="claim-check-altered"):
        claim_checks.retrieve(raw)
    s3.delete_object(Bucket="claims", Key=f"team_events/{stub.claimcheck}")
    with pytest.raises(Reject, match="claim-check-missing"):
        claim_checks.retrieve(raw)


@pytest.mark.guarantee("no-silent-drop/large-event")
def test_an_event_that_cannot_be_stored_fails_alone(cloud: None) -> None:
    with pytest.raises(PublishError) as raised:
        publisher(Sns(), claim_checks=ClaimChecks("no-such-bucket", "team_events")).publish(
            [event(), event("x" * MAX_BYTES, id="large")]
        )
    assert [(entry.event_id, entry.code) for entry in raised.value.failed] == [("large", "NoSuchBucket")]


def presented(subject: str = "Hello", email: str = "A mail") -> Presentation:
    return Presentation(subject=subject, texts={"email": email, "sms": "short"}, attributes={"severity": "HIGH"})


def test_email_and_sms_get_texts_and_all_others_the_event() -> None:
    sns, sent = Sns(), event()
    publisher(sns, present=lambda _: presented()).publish([sent])
    [[entry]] = sns.requests
    message = json.loads(entry["Message"])
    assert entry["MessageStructure"] == "json"
    assert (entry["Subject"], message["email"], message["sms"]) == ("Hello", "A mail", "short")
    assert decode(message["default"]).id == sent.id
    assert entry["MessageAttributes"] == {"severity": {"DataType": "String", "StringValue": "HIGH"}}


@given(st.text())
def test_any_text_becomes_a_subject_that_sns_accepts(text: str) -> None:
    line = presented(subject=text).line
    assert len(line) < 100
    assert not any(ord(character) < 32 or ord(character) == 127 for character in line)
    if len(text) < 100 and text.isprintable():
        assert line == text


def test_the_texts_count_towards_the_size_and_a_mail_that_is_too_large_is_refused() -> None:
    sns = Sns()
    with pytest.raises(PublishError) as raised:
        publisher(sns, present=lambda _: presented(email="x" * MAX_BYTES)).publish([event()])
    assert [failure.code for failure in raised.value.failed] == ["TooLarge"]
    assert sns.requests == []


def test_sns_accepts_the_texts(cloud: None) -> None:
    client = boto3.client("sns", region_name=REGION)
    topic = client.create_topic(Name="alerts")["TopicArn"]
    Publisher(topic, present=lambda _: presented("a\nb" * 99)).publish([event()])


@pytest.mark.parametrize("code", ["KMSThrottling", "KMSAccessDenied", "Throttled", "AuthorizationError", "NotFound"])
def test_a_failure_that_permissions_keys_or_time_can_fix_is_not_final(code: str) -> None:
    sns = Sns({0: True}, {0: True}, {0: True}, {0: True}, {0: True})
    sns.code = code
    with pytest.raises(PublishError) as raised:
        publisher(sns).publish([event()])
    assert [failure.is_final for failure in raised.value.failed] == [False]
    assert len(sns.requests) > 1, "it is tried again"


def test_a_failure_says_whether_it_is_final() -> None:
    sns = Sns({0: True, 1: False}, {0: False}, {0: False}, {0: False})
    with pytest.raises(PublishError) as raised:
        publisher(sns).publish([event(id="refused"), event(id="throttled"), event("x" * MAX_BYTES, id="large")])
    final = {failure.event_id: failure.is_final for failure in raised.value.failed}
    assert final == {"refused": True, "throttled": False, "large": True}


@pytest.mark.guarantee("order-per-group/nothing-after-unsendable-entry")
def test_on_a_fifo_topic_nothing_overtakes_an_event_that_could_not_even_be_sent() -> None:
    sns = Sns()
    large = event("x" * MAX_BYTES, id="2")
    with pytest.raises(PublishError) as raised:
        publisher(sns, f"{TOPIC}.fifo").publish([event(id="1"), large, event(id="3")])
    assert sns.ids(0) == ["1"]
    assert len(sns.requests) == 1
    assert {failure.event_id: failure.code for failure in raised.value.failed} == {"2": "TooLarge", "3": "GroupBlocked"}


def test_the_group_of_a_structure_is_the_same_for_any_order_of_its_fields() -> None:
    def changed(key: dict[str, dict[str, str]]) -> Event[RowChanged]:
        data = RowChanged(table="orders", key=key, operation="delete", version="0" * 40)
        return Event.new(data, source="urn:test")

    one = message_group(changed({"pk": {"S": "a"}, "sk": {"S": "b"}}))
    assert one == message_group(changed({"sk": {"S": "b"}, "pk": {"S": "a"}}))
    assert one != message_group(changed({"pk": {"S": "b"}, "sk": {"S": "a"}}))
    assert len(message_group(changed({"pk": {"S": "a" * 500}}))) <= 128


def test_an_event_above_the_limit_of_claim_checks_is_neither_stored_nor_read(
    claim_checks: ClaimChecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = event("x" * MAX_BYTES, id="large")
    stub = decode(encode(claim_checks.store(large)))
    monkeypatch.setattr("fanout.claim_check.MAX_BYTES", MAX_BYTES)
    with pytest.raises(Reject, match="claim-check-too-large"):
        claim_checks.retrieve(stub)
    with pytest.raises(PublishError) as raised:
        publisher(Sns(), claim_checks=claim_checks).publish([event(id="small"), large])
    [failure] = raised.value.failed
    assert (failure.event_id, failure.code, failure.is_final) == ("large", "TooLarge", True)


@pytest.mark.parametrize("topic", [TOPIC, f"{TOPIC}.fifo"])
def test_an_event_that_cannot_be_encoded_fails_alone(topic: str) -> None:
    sns = Sns()
    with pytest.raises(PublishError) as raised:
        publisher(sns, topic=topic).publish([event(id="1"), event("\ud800", id="2"), event(id="3")])
    [failure, *held] = raised.value.failed
    assert (failure.event_id, failure.code, failure.is_final) == ("2", "NotEncodable", True)
    behind = ["3"] if topic.endswith(".fifo") else []  # of the same group
    assert [entry.event_id for entry in held] == behind
    assert [entry.event_id for entry in raised.value.published] == (["1"] if behind else ["1", "3"])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("\ud800", "a text has a lone surrogate"),
        (Path("/tmp"), f"Encoding objects of type {type(Path()).__name__} is unsupported"),  # noqa: S108
        ({None: "secret"}, "Only dicts with str-like or number-like keys are supported"),
    ],
    ids=["half a surrogate pair", "a path", "None as a key"],
)
def test_a_value_that_json_cannot_represent_is_reported_without_quoting_it(value: Any, reason: str) -> None:
    with pytest.raises(PublishError) as raised:
        publisher(Sns()).publish([audited(v=value)])
    assert raised.value.failed[0].message == f"not JSON: {reason}"


def test_a_stub_that_is_still_too_large_fails_alone_and_finally(claim_checks: ClaimChecks) -> None:
    large = Event.new(TeamMessagePosted(text="x", author="Ada"), source="urn:test", id="large", subject="x" * MAX_BYTES)
    with pytest.raises(PublishError) as raised:
        publisher(Sns(), claim_checks=claim_checks).publish([event(id="small"), large])
    [failure] = raised.value.failed
    assert (failure.event_id, failure.code, failure.is_final) == ("large", "TooLarge", True)


def new(data: msgspec.Struct, **attributes: Any) -> Event[Any]:
    return Event.new(data, **{"source": "urn:test", **attributes})


def message(**fields: Any) -> Event[Any]:
    return new(TeamMessagePosted(**{"text": "hi", "author": "Ada", **fields}))


def with_attributes(**attributes: Any) -> Event[Any]:
    return msgspec.structs.replace(message(), **attributes)


def audited(outcome: Any = "success", **after: Any) -> Event[Any]:
    return new(AuditRecorded(tenant="t", actor="a", action="a.b", resource="r", outcome=outcome, after=after))


def logged(value: Any) -> Event[Any]:
    return new(LogEntry(service="s", level="INFO", message="m", context={"value": value}))


def sale(**fields: Any) -> Event[Any]:
    whole: dict[str, Any] = {
        "store_id": "s1",
        "till": 3,
        "receipt": "r",
        "sold_at": datetime(2026, 11, 25, tzinfo=UTC),
        "country": "DE",
        "currency": "EUR",
        "total": 4998,
        "item_count": 2,
        "lines": (SaleLine(sku="x", quantity=2, unit_price=2499),),
    }
    return new(StoreSale(**{**whole, **fields}))


def import_tolerating(percent: float) -> Event[Any]:
    parameters = Parameters(group_by=("a",), tolerated_percent=percent)
    return new(JobRequested(job_id="j", kind="report", input="s3://bucket/key", parameters=parameters))


def encoded(data: bytes) -> Event[Any]:
    return message().with_data(msgspec.Raw(data))


def lists(levels: int) -> Any:
    return [] if levels == 1 else [lists(levels - 1)]


HALF = SaleLine(sku="x", quantity=1, unit_price=2499.25)  # type: ignore[arg-type]
NOT_JSON = "NaN and Infinity are not JSON - at `$.data"
REJECTED: dict[str, tuple[Event[Any], str]] = {
    "no source": (with_attributes(source=""), "`$.source`"),
    "a long id": (with_attributes(id="x" * 257), "`$.id`"),
    "an id that is a number": (with_attributes(id=7), "`$.id`"),
    "a naive time": (with_attributes(time=datetime(2026, 11, 25)), "timezone component - at `$.time`"),  # noqa: DTZ001
    "a time in the year 1": (with_attributes(time=datetime(1, 1, 1, tzinfo=UTC)), "`$.time`"),
    "a media type that is not JSON": (with_attributes(datacontenttype="text/xml"), "`$.datacontenttype`"),
    "an empty text": (message(text=""), "`$.data.text`"),
    "a number for a text": (message(text=5), "`$.data.text`"),
    "None for a text": (message(text=None), "`$.data.text`"),
    "an unknown team": (message(audience=("team_z",)), "`$.data.audience[0]`"),
    "a fraction for an integer": (
        sale(total=4998.5, lines=(HALF, HALF)),
        "Expected `int`, got `float` - at `$.data.total`",
    ),
    "true for an integer": (sale(till=True), "`$.data.till`"),
    "a naive time in the data": (sale(sold_at=datetime(2026, 11, 25)), "`$.data.sold_at`"),  # noqa: DTZ001
    "a misspelt outcome": (audited(outcome="ok"), "`$.data.outcome`"),
    "NaN": (audited(v=math.nan), f"{NOT_JSON}.after[...]`"),
    "Infinity in lists": (audited(v=[None, {"w": (0.5, -math.inf)}]), f"{NOT_JSON}.after[...][1][...][1]`"),
    "a Decimal that is NaN": (audited(v=[Decimal("NaN")]), f"{NOT_JSON}.after[...][0]`"),
    "a Decimal that is infinite": (audited(v=Decimal("-Infinity")), f"{NOT_JSON}.after[...]`"),
    "NaN in a log's context": (logged({"x": math.nan}), f"{NOT_JSON}.context[...][...]`"),
    "NaN where a contract has a float": (import_tolerating(math.nan), f"{NOT_JSON}.parameters[...]`"),
    "a hundred levels and more": (logged(lists(101)), "nested deeper than 100 levels"),
    "encoded data that breaks its contract": (encoded(b'{"text":"hi"}'), "`author`"),
    "encoded data with NaN": (encoded(b'{"text":"hi","author":"a","x":NaN}'), "JSON is malformed"),
}


@pytest.mark.guarantee("no-silent-drop/invalid-event")
@pytest.mark.parametrize(("rejected", "reason"), REJECTED.values(), ids=REJECTED)
def test_an_event_that_its_subscribers_would_reject_is_refused_alone_with_field_and_reason(
    rejected: Event[Any], reason: str
) -> None:
    with pytest.raises(PublishError) as raised:
        publisher(Sns(), present=lambda _: presented()).publish([message(), rejected, message()])
    assert len(raised.value.published) == 2
    [failure] = raised.value.failed
    assert (failure.event_id, failure.code, failure.is_final) == (rejected.id, "InvalidEvent", True)
    assert reason in failure.message
    assert reason in str(raised.value)


def test_what_is_refused_before_publishing_blocks_its_group_on_a_fifo_topic() -> None:
    with pytest.raises(PublishError) as raised:
        publisher(Sns(), topic=f"{TOPIC}.fifo").publish([audited(v=1), audited(v=math.nan), audited(v=2)])
    assert [each.code for each in raised.value.failed] == ["InvalidEvent", "GroupBlocked"]
    assert len(raised.value.published) == 1


@pytest.mark.parametrize(
    "accepted",
    [
        message(text="null"),
        audited(nothing=None, number=0.1 + 0.2, large=1e300, text="NaN", list=[None]),
        audited(
            decimal=Decimal("1.10"),
            huge=Decimal("1e999"),
            moment=datetime(2026, 1, 1, tzinfo=UTC),
            bytes=b"\x00",
            set={1},
            by={1: None},
        ),
        sale(total=4998.0, till=3.0),
        encoded(b'{"text":"hi","author":"a","more":null}'),
        with_attributes(time=None, datacontenttype="application/vnd.example+json"),
        with_attributes(type="team.message.posted.v99"),
        with_attributes(claimcheck="0" * 64, data={"audience": None}),
    ],
    ids=[
        *("the text null", "null and doubles", "values that JSON has no type for", "integers written as floats"),
        *("encoded data", "another media type", "a type that this process does not know", "a claim check's stub"),
    ],
)
def test_an_event_that_subscribers_accept_is_published_unchanged(accepted: Event[Any]) -> None:
    sns = Sns()
    publisher(sns).publish([accepted])
    assert sns.requests[0][0]["Message"] == encode(accepted).decode()


def test_an_event_too_large_for_its_topic_is_refused_before_it_is_stored(claim_checks: ClaimChecks) -> None:
    with pytest.raises(PublishError, match="InvalidEvent"):
        publisher(Sns(), claim_checks=claim_checks).publish([audited(text="x" * MAX_BYTES, v=math.nan)])
    assert "Contents" not in boto3.client("s3", region_name=REGION).list_objects_v2(Bucket="claims")


def test_a_handler_that_cannot_publish_is_retried_and_the_reason_lists_each_code_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("fanout.aws.client", lambda _: Sns({0: True}))
    with pytest.raises(Retry, match=r"^not published: InternalError, TooLarge$"):
        publish(TOPIC, [event(), event(text="x" * MAX_BYTES)])
    publish(TOPIC, [])
