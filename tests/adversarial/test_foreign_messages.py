"""Messages in formats of other senders: SES, CloudWatch, its logs, DynamoDB's stream, Firehose, people by hand."""

import base64
import gzip
import json
import os
from collections.abc import Callable
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from application_logs import cloudwatch_logs
from application_logs.domain import log_lines
from fanout import contracts
from fanout.testing import REGION, LambdaContext
from tests.adversarial import corpus
from tests.adversarial.test_subscribers import FINAL, assert_bounded, neighbours
from tests.adversarial.world import ROOT, World, subjects

SUBJECTS = {subject.name: subject for subject in subjects()}
MOST = 30
EVERYTHING = bool(os.environ.get("FANOUT_FUZZ"))
TRANSLATORS = {
    "user_registration/mail_feedback": [
        *(ROOT / "events/user_registration/foreign/MailFeedback").glob("*complaint.json"),
        *(ROOT / "events/user_registration/foreign/MailFeedback").glob("*event-permanent-bounce.json"),
    ],
    "system_alerts/dispatch": [ROOT / "events/system_alerts/foreign/SystemAlerts/cloudwatch-alarm.json"],
}
LONG_LISTS = {
    "a hundred thousand": [{"emailAddress": f"a{number}@example.com"} for number in range(10_000)],
    "punycode without end": [{"emailAddress": "a@" + "ä" * 50_000}],
}


def _bent(document: dict[str, Any]) -> list[tuple[str, str]]:
    found = [(name, json.dumps(json.loads(text)["data"])) for name, text in corpus.bent({"data": document})]
    return found[:: 1 if EVERYTHING else len(found) // MOST + 1]


@pytest.mark.parametrize(
    ("name", "file"), [(name, file) for name, files in TRANSLATORS.items() for file in files], ids=str
)
def test_a_malformed_message_of_aws_is_judged_at_once_and_its_neighbours_are_handled(
    world: World, name: str, file: Any
) -> None:
    subject = SUBJECTS[name]
    first, last = neighbours(subject)
    alone = world.call(subject, [subject.record(first), subject.record(last)]).outcomes()
    world.forget()
    document = json.loads(file.read_text(encoding="utf-8"))
    whole = json.dumps(document)
    hostile = dict(_bent(document)) | {
        "cut off": whole[:-1],
        "a bomb": whole[:-1] + ',"x":' + "[" * corpus.DEEP,
        "a bomb that closes": whole[:-1] + ',"x":' + "[" * corpus.DEEP + "]" * corpus.DEEP + "}",
        "a byte order mark": f"\ufeff{whole}",
        "twice the same key": whole[:-1] + ',"bounce":null,"AlarmName":5}',
    }
    answer = world.call(subject, [subject.record(body) for body in (first, *hostile.values(), last)])
    outcomes = answer.outcomes()
    assert [outcomes[0], outcomes[-1]] == alone
    assert not {name: result for name, result in zip(hostile, outcomes[1:-1], strict=True) if result[0] not in FINAL}
    assert_bounded(answer, len(hostile) + 2)


def test_feedback_about_thousands_or_about_an_endless_address_is_rejected(world: World) -> None:
    subject = SUBJECTS["user_registration/mail_feedback"]
    [file] = (ROOT / "events/user_registration/foreign/MailFeedback").glob("*event-permanent-bounce.json")
    document = json.loads(file.read_text(encoding="utf-8"))
    records = []
    for recipients in LONG_LISTS.values():
        document["bounce"]["bouncedRecipients"] = recipients
        records.append(subject.record(json.dumps(document)))
    answer = world.call(subject, records)
    assert [outcome for outcome, _ in answer.outcomes()] == ["rejected", "rejected"]
    assert_bounded(answer, 2)


TEXTS = (
    "x" * 250_000,
    corpus.INJECTION.replace("\x00", ""),
    "\u202e",
    "[1, 2",
    '"',
    "null",
    "</script>",
    "{" * 3,
    "\ufeff{}",
)


@pytest.mark.parametrize("name", ["team_events/team_a", "team_events/team_b"])
def test_a_text_published_by_hand_is_a_message_or_rejected(world: World, name: str) -> None:
    subject = SUBJECTS[name]
    answer = world.call(subject, [subject.record(text) for text in TEXTS])
    expected = ["rejected" if text.startswith(("{", "\ufeff")) else "processed" for text in TEXTS]
    assert [outcome for outcome, _ in answer.outcomes()] == expected
    assert_bounded(answer, len(TEXTS))


@pytest.fixture
def function(
    world: World, function_module: Callable[[str, str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], ModuleType]:
    def load(name: str) -> ModuleType:
        monkeypatch.setenv("FANOUT_SUBSCRIBER", name)
        monkeypatch.setenv("AWS_REGION", REGION)
        monkeypatch.setenv("APPLICATION_LOGS_TOPIC_ARN", os.environ["JOB_OUTCOMES_TOPIC_ARN"])
        monkeypatch.setenv("TOPIC_ARN", f"{os.environ['JOB_OUTCOMES_TOPIC_ARN']}")
        return function_module(*name.split("/"))

    return load


def _payload(*lines: str) -> dict[str, Any]:
    batch = {
        "messageType": "DATA_MESSAGE",
        "owner": "123456789012",
        "logGroup": "/aws/lambda/checkout",
        "logStream": "s",
        "logEvents": [{"id": str(n), "timestamp": 1791450000123 + n, "message": line} for n, line in enumerate(lines)],
    }
    return {"awslogs": {"data": base64.b64encode(gzip.compress(json.dumps(batch).encode(), 1)).decode()}}


LINES = [
    "",
    "\x00",
    corpus.INJECTION,
    "[" * corpus.DEEP,
    '{"a":' * corpus.DEEP,
    '{"level":' + "[" * 900 + "]" * 900 + "}",
    '{"message":' + "[" * 900 + "]" * 900 + "}",
    '{"type":' + "[" * 900 + "]" * 900 + "}",
    '{"logger":' + "9" * 4_290 + ',"trace_id":' + "9" * 4_290 + ',"level":' + "9" * 4_290 + "}",
    '{"message":{"n":' + "9" * 4_290 + "}}",
    '{"message":1e308,"service":[],"logger":{},"trace_id":[1],"level":true}',
    '{"record":5,"type":"platform.report"}',
    '{"service":"../../x","level":"error","message":"x"}',
    '{"level":"ERROR","message":"a","message":"b"}',
    json.dumps({f"k{number}": "v" * 100 for number in range(2_000)}),
    "level=" * 50_000,
    "[ERROR]\t" * 20_000,
    "Ä" * 260_000,
]


def test_every_line_of_a_log_is_published_whatever_it_contains(function: Callable[[str], ModuleType]) -> None:
    assert function("application_logs/ingest").handler(_payload(*LINES), LambdaContext()) == {"published": len(LINES)}


def test_a_log_line_of_any_kind_becomes_an_entry_that_satisfies_the_contract(
    function: Callable[[str], ModuleType],
) -> None:
    function("application_logs/ingest")
    schema = contracts.load("application_logs")["log.entry.v1"]
    batch = msgspec.convert(
        {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "/g/", "logStream": "s", "logEvents": []},
        cloudwatch_logs.Batch,
    )
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
    fields = {*log_lines._LEVEL, *log_lines._NUMBERED, *log_lines._MESSAGE, *log_lines._SERVICE, *log_lines._TRACE}
    known = sorted({name.partition(".")[0] for name in fields} | fields | {"facility", "type", "record", "errorType"})
    objects = st.dictionaries(st.sampled_from(known), values | st.dictionaries(st.sampled_from(known), values))
    prefixes = st.sampled_from(["", "\ufeff", "<11>", "2026-11-22 12:00:00 ERROR ", "[ERROR] "])

    @given(line=st.text(st.characters(codec="utf-8")) | st.builds(str.__add__, prefixes, objects.map(json.dumps)))
    def check(line: str) -> None:
        msgspec.json.decode(msgspec.json.encode(cloudwatch_logs.entry(line, batch)), type=schema)

    check()


def test_an_invalid_stream_record_is_stored_as_unpublished_and_its_neighbours_are_published(
    function: Callable[[str], ModuleType], world: World
) -> None:
    good = _stream_record(1)
    odd: list[dict[str, Any]] = []
    for path in (("eventID",), ("eventName",), ("eventSourceARN",), ("dynamodb", "Keys"), ("dynamodb", "NewImage")):
        for value in (None, 5, "", "x", [], {"a": {"S": "x", "N": "1"}}, {"a": 5}, 10**400):
            record = _stream_record(len(odd) + 2)
            place = record if len(path) == 1 else record["dynamodb"]
            place[path[-1]] = value
            odd.append(record)
    for value in ("x", -1e300, 1e300, float("nan"), None, [], 10**400):
        odd.append(_stream_record(len(odd) + 2, ApproximateCreationDateTime=value))
    capture = function("database_changes/capture")
    answer = capture.handler({"Records": [good, *odd, _stream_record(99)]}, LambdaContext())
    assert answer == {"batchItemFailures": []}
    assert len([key for key in world.stored() if key.startswith("changes/")]) >= len(odd) - 5


def _stream_record(number: int, **image: Any) -> dict[str, Any]:
    key = {"pk": {"S": f"p{number}"}, "sk": {"S": "s"}}
    return {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "eventSourceARN": f"arn:aws:dynamodb:{REGION}:123456789012:table/customers/stream/2026",
        "dynamodb": {
            "ApproximateCreationDateTime": 1791450000,
            "Keys": key,
            "NewImage": dict(key),
            "SequenceNumber": str(10**20 + number),
            **image,
        },
    }


def test_a_record_of_the_lake_that_is_not_an_event_fails_alone(function: Callable[[str], ModuleType]) -> None:
    good = SUBJECTS["data_aggregation/web"].samples()[0]
    bodies = [
        *corpus.no_events(json.loads(good)).values(),
        *[text for _, text in list(corpus.bent(json.loads(good)))[::5]],
    ]
    raw = [good.encode(), *[body.encode("utf-8", "surrogatepass") for body in bodies], b"\xff\xfe", b"", good.encode()]
    records = [
        {"recordId": str(n), "approximateArrivalTimestamp": 1_790_000_000_000, "data": base64.b64encode(body).decode()}
        for n, body in enumerate(raw)
    ]
    answers = function("data_aggregation/lake").handler({"records": records}, LambdaContext())["records"]
    assert [answer["recordId"] for answer in answers] == [record["recordId"] for record in records]
    assert [answers[0]["result"], answers[-1]["result"]] == ["Ok", "Ok"]
    for answer in answers:
        if answer["result"] == "Ok":
            assert base64.b64decode(answer["data"]).count(b"\n") == 1


@pytest.mark.parametrize("name", ["user_interactions/posts", "user_interactions/review"])
def test_a_request_that_is_not_understood_is_answered_in_words(
    function: Callable[[str], ModuleType], name: str
) -> None:
    module = function(name)
    actions = ("totals", "comments", "trending", "list", "approve", "refuse", "x", None)
    for action in actions:
        for value in (*corpus.VALUES.values(), float("nan")):
            for field in ("post_id", "limit", "after", "entry", "minutes", "unknown"):
                answer = module.handler({"action": action, field: value}, None)
                assert isinstance(answer["ok"], bool)
                assert len(str(answer)) < 5_000
    for request in (None, 5, "x", [], {}, {"action": []}):
        assert module.handler(request, None)["ok"] is False
