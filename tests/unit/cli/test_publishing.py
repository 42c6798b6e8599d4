"""Publishing from the command line: all or nothing is checked, every event is accounted for."""

import json
from pathlib import Path
from typing import Any

import boto3
import pytest

from fanout.event import encode
from fanout.testing import REGION
from fanout_cli.errors import UsageError, UserError
from fanout_cli.publishing.event_publisher import EventPublisher, prepare
from fanout_cli.publishing.inputs import Document, parse_documents
from fanout_cli.publishing.journal import Journal
from fanout_cli.stack.topology import Subscriber, Subscription, Topic, Topology

TYPE = "team.message.posted.v1"


class NoProgress:
    def update(self, detail: str = "", *, done: int | None = None, total: int | None = None) -> None: ...


def event(event_id: str = "e1", **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": event_id,
        "source": "urn:example:intranet",
        "type": TYPE,
        "time": "2026-11-22T12:00:00Z",
        "data": {"text": "Lunch at noon", "author": "Maya Lindqvist", **data},
    }


def documents(*values: dict[str, Any]) -> list[Document]:
    return [Document(f"events.json, entry {number}", value) for number, value in enumerate(values, 1)]


class Cloud:
    """A topic with a queue on it, to see what went out."""

    def __init__(self, folder: Path, bucket: str = "") -> None:
        self.sns: Any = boto3.client("sns", region_name=REGION)
        self._sqs = boto3.client("sqs", region_name=REGION)
        self.topic: str = self.sns.create_topic(Name="TeamEvents")["TopicArn"]
        self._queue = self._sqs.create_queue(QueueName="q")["QueueUrl"]
        self.sns.subscribe(
            TopicArn=self.topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:{REGION}:123456789012:q",
            Attributes={"RawMessageDelivery": "true"},
        )
        subscription = Subscription("a", self.topic, "sqs", "q", True, None, "MessageBody", "team_events/team_a")
        subscriber = Subscriber("team_events/team_a", "f", "g", "q", "d", {"FANOUT_CLAIM_CHECK_BUCKET": bucket})
        self.topology = Topology(
            "fanout", (Topic("TeamEvents", self.topic, "team_events", (subscription,)),), {subscriber.name: subscriber}
        )
        self.journal = Journal(folder)
        self.publisher = EventPublisher(lambda _: self.sns, self.topology, self.journal)

    def bodies(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        while batch := self._sqs.receive_message(QueueUrl=self._queue, MaxNumberOfMessages=10).get("Messages", []):
            found += [json.loads(message["Body"]) for message in batch]
        return found


@pytest.fixture
def aws(cloud: None, tmp_path: Path) -> Cloud:
    return Cloud(tmp_path)


def test_events_go_out_as_they_came_with_what_their_contract_does_not_know(aws: Cloud) -> None:
    given = event(audience=["team_a"], mood="cheerful")
    result = aws.publisher.publish(prepare(documents(given), "team_events"), NoProgress())
    assert result.failed == []
    [body] = aws.bodies()
    assert body == given


def test_each_accepted_event_is_journalled_with_its_filterable_fields(aws: Cloud) -> None:
    aws.publisher.publish(prepare(documents(event(audience=["team_a"])), "team_events"), NoProgress())
    [published] = aws.journal.find("e1")
    assert (published.type, published.topic, published.fields) == (TYPE, aws.topic, {"audience": ["team_a"]})
    assert published.message_id is not None
    assert aws.journal.find(published.message_id) == [published]
    assert "Lunch" not in (next(iter(aws.journal._lines())))


def test_bare_data_becomes_an_event_with_an_id_of_its_own(aws: Cloud) -> None:
    data = {"text": "Lunch at noon", "author": "Maya Lindqvist"}
    prepared = prepare(documents(data, data), "team_events", TYPE)
    aws.publisher.publish(prepared, NoProgress())
    bodies = aws.bodies()
    assert [body["data"] for body in bodies] == [data, data]
    assert len({body["id"] for body in bodies}) == 2
    assert all(body["time"] and body["type"] == TYPE for body in bodies)


def test_publishing_again_gives_the_same_event_a_new_id(aws: Cloud) -> None:
    [prepared] = prepare(documents(event()), "team_events")
    again = [prepared.again() for _ in range(3)]
    assert len({each.event.id for each in again} | {"e1"}) == 4
    assert {each.typed.id for each in again} == {each.event.id for each in again}


@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({**event(), "specversion": "0.3"}, "specversion"),
        ({name: value for name, value in event().items() if name != "id"}, "id"),
        ({**event(), "time": "yesterday"}, "time"),
        ({**event(), "data": {"text": "no author"}}, "author"),
        (event(text=7), r"\$\.data\.text"),
        (event(audience=["team_c"]), r"\$\.data\.audience"),
        ({**event(), "type": "team.message.v9"}, "type"),
    ],
)
def test_an_invalid_event_is_refused_by_entry_and_field(value: dict[str, Any], named: str) -> None:
    with pytest.raises(UserError, match=f"events.json, entry 2: .*{named}") as failure:
        prepare(documents(event(), value), "team_events")
    assert "Nothing was published" in failure.value.next_step
    assert failure.value.exit_code == 1


def numbered(event_type: str, data: dict[str, Any], number: str) -> list[Document]:
    """An event as it stands in a file, with a number in this text for the value "?"."""
    value = {"specversion": "1.0", "id": "e1", "source": "urn:example:shop", "type": event_type, "data": data}
    return parse_documents(json.dumps(value).replace('"?"', number), "events.json")


@pytest.mark.parametrize("number", ["0.1000000000000000055511151231257827", "1e-400", "4998.0", "5E+3", "1.10"])
def test_a_number_is_published_in_the_text_of_the_file(number: str) -> None:
    data = {"service": "s", "level": "INFO", "message": "é", "context": {"n": ["?"]}}
    [prepared] = prepare(numbered("log.entry.v1", data, number), "application_logs")
    assert f'"context":{{"n":[{number}]}}'.encode() in encode(prepared.event)


def test_a_number_that_its_contract_refuses_is_not_rounded_into_one_that_it_accepts() -> None:
    data = {"tenant": "t", "actor": "a", "action": "a.b", "resource": "r", "outcome": "success", "after": {"n": "?"}}
    with pytest.raises(UserError, match=r"a double cannot hold.*\$\.data\.after"):
        prepare(numbered("audit.recorded.v1", data, "0.10000000000000001"), "audit_logs")


def test_half_of_a_surrogate_pair_is_refused_by_entry() -> None:
    with pytest.raises(UserError, match="entry 1: a text has a lone surrogate"):
        prepare(documents(event(text="\ud83d")), "team_events")


def test_bare_data_is_checked_like_an_event() -> None:
    with pytest.raises(UserError, match=r"entry 1: .*author"):
        prepare(documents({"text": "no author"}), "team_events", TYPE)


def test_a_long_list_of_mistakes_is_cut_and_counted() -> None:
    with pytest.raises(UserError) as failure:
        prepare(documents(*[{} for _ in range(25)]), "team_events")
    assert "... and 15 more" in failure.value.problem


def test_a_whole_event_with_a_type_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="--type is for bare data"):
        prepare(documents(event()), "team_events", TYPE)


def test_an_unknown_type_names_the_closest_and_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"did you mean team\.message\.posted\.v1") as failure:
        prepare(documents({}), "team_events", "team.message.postd.v1")
    assert TYPE in failure.value.next_step


def test_an_oversized_event_is_refused_before_anything_goes_out(aws: Cloud) -> None:
    prepared = prepare(documents(event(), event("e2", text="x" * 300_000)), "team_events")
    with pytest.raises(UserError, match=r"entry 2: the event has 300\d\d\d bytes, TeamEvents takes 262144"):
        aws.publisher.check(prepared)


def test_with_a_claim_check_bucket_an_oversized_event_goes_out_as_a_stub(cloud: None, tmp_path: Path) -> None:
    boto3.client("s3", region_name=REGION).create_bucket(Bucket="parked")
    aws = Cloud(tmp_path, bucket="parked")
    prepared = prepare(documents(event(text="x" * 300_000, audience=["team_a"])), "team_events")
    aws.publisher.check(prepared)
    aws.publisher.publish(prepared, NoProgress())
    [stub] = aws.bodies()
    assert stub["claimcheck"]
    assert stub["data"] == {"audience": ["team_a"]}


def test_a_topic_that_is_not_deployed_is_named_with_what_is(aws: Cloud) -> None:
    publisher = EventPublisher(lambda _: aws.sns, Topology("fanout", (), {}), aws.journal)
    with pytest.raises(UserError, match="the topic TeamEvents is not deployed in stack fanout"):
        publisher.check(prepare(documents(event()), "team_events"))


def test_what_sns_refuses_is_accounted_for_and_the_rest_is_out(aws: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_the_second(**request: Any) -> dict[str, Any]:
        entries = request["PublishBatchRequestEntries"]
        ids = {entry["Id"]: json.loads(entry["Message"])["id"] for entry in entries}
        return {
            "Successful": [{"Id": key, "MessageId": f"m-{name}"} for key, name in ids.items() if name != "e2"],
            "Failed": [
                {"Id": key, "Code": "InvalidParameter", "Message": "no", "SenderFault": True}
                for key, name in ids.items()
                if name == "e2"
            ],
        }

    monkeypatch.setattr(aws.sns, "publish_batch", refuse_the_second)
    result = aws.publisher.publish(
        prepare(documents(event("e1"), event("e2"), event("e1")), "team_events"), NoProgress()
    )
    assert [each.event_id for each in result.published] == ["e1", "e1"]
    assert [(each.event_id, each.code) for each in result.failed] == [("e2", "InvalidParameter")]
    assert aws.journal.find("e2") == []
    assert len(aws.journal.find("e1")) == 2


def test_a_journal_that_grew_large_is_set_aside_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aws: Cloud
) -> None:
    monkeypatch.setattr("fanout_cli.publishing.journal._ROTATE_BYTES", 10)
    for event_id in ("e1", "e2", "e3"):
        aws.publisher.publish(prepare(documents(event(event_id)), "team_events"), NoProgress())
    assert aws.journal.find("e1") == []
    assert [each.event_id for each in aws.journal.find("e2") + aws.journal.find("e3")] == ["e2", "e3"]
    assert sorted(aws.journal.all()) == ["e2", "e3"]


def test_a_broken_line_in_the_journal_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "published.jsonl").write_text('{"event_id":"e1"\n{"event_id":"e1","unknown":1}\n')
    journal = Journal(tmp_path)
    assert journal.find("e1") == []
    assert journal.all() == {}
