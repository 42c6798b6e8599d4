"""The publisher: whatever it is given, every event is accounted for and SNS is asked for nothing beyond its limits."""

import json
import re
from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from fanout.publisher import MAX_BYTES, MAX_ENTRIES, Failed, Presentation, Published, Publisher, PublishError
from tests.adversarial import corpus

TOPIC = "arn:aws:sns:us-east-1:123456789012:Logs"


class Sns:
    """SNS's side, which refuses to be asked for what AWS does not allow; it fails entries by their ids."""

    def __init__(self, fails: Sequence[str] = ()) -> None:
        self.taken: list[str] = []
        self._fails = fails

    def publish_batch(self, *, TopicArn: str, PublishBatchRequestEntries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803
        entries = PublishBatchRequestEntries
        assert 1 <= len(entries) <= MAX_ENTRIES
        assert sum(_size(entry) for entry in entries) <= MAX_BYTES
        assert len({entry["Id"] for entry in entries}) == len(entries)
        groups = [entry["MessageGroupId"] for entry in entries if "MessageGroupId" in entry]
        assert len(set(groups)) == len(groups) or not TopicArn.endswith(".fifo")
        successful, failed = [], []
        for entry in entries:
            assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", entry["Id"])
            assert re.fullmatch(r"[!-~]{1,128}", entry.get("MessageGroupId", "x"))
            assert re.fullmatch(r"[!-~]{1,128}", entry.get("MessageDeduplicationId", "x"))
            assert entry.get("Subject", "x").isprintable()
            assert 0 < len(entry.get("Subject", "x")) < 100
            document = json.loads(entry["Message"])
            event = json.loads(document["default"]) if "default" in document else document
            if event["id"] in self._fails:
                failed.append({"Id": entry["Id"], "Code": "InternalError", "Message": "no", "SenderFault": True})
            else:
                self.taken.append(event["id"])
                successful.append({"Id": entry["Id"], "MessageId": "m"})
        return {"Successful": successful, "Failed": failed}


def _size(entry: dict[str, Any]) -> int:
    attributes = entry.get("MessageAttributes", {})
    return len(entry["Message"].encode()) + sum(
        len((name + value["DataType"] + value["StringValue"]).encode()) for name, value in attributes.items()
    )


TEXTS = st.text(st.characters(codec=None), max_size=30) | st.sampled_from(
    ["", "\ud800", "\udc00\ud800", "\x00", "\uffff", corpus.INJECTION, "x" * 300, "Ä" * MAX_BYTES, "\\" * 200_000]
)
ZONES = [timezone(timedelta(hours=hours)) for hours in (-14, 0, 14)]
TIMES = st.datetimes(timezones=st.sampled_from(ZONES))
CONTEXTS = st.dictionaries(
    st.text(max_size=5),
    st.sampled_from([*corpus.VALUES.values(), float("nan"), float("inf"), "\ud800", object()]),
    max_size=3,
)


@st.composite
def events(draw: st.DrawFn) -> Event[LogEntry]:
    """An event as a program with a fault, or in bad hands, would make it."""
    entry = LogEntry(service=draw(TEXTS), level="INFO", message=draw(TEXTS), context=draw(CONTEXTS))
    return Event.new(entry, source=draw(TEXTS), id=draw(TEXTS) or None, time=draw(TIMES), subject=draw(TEXTS))


def _present(event: Event[Any]) -> Presentation:
    return Presentation(
        subject=f"{event.data.service} {event.data.message}", texts={"email": "x"}, attributes={"type": event.type}
    )


@given(
    given_events=st.lists(events(), max_size=25),
    fifo=st.booleans(),
    presented=st.booleans(),
    failing=st.sets(st.integers(0, 24), max_size=3),
)
def test_every_event_is_accounted_for_whatever_is_in_it(
    given_events: list[Event[LogEntry]], fifo: bool, presented: bool, failing: set[int]
) -> None:
    sns = Sns([event.id for number, event in enumerate(given_events) if number in failing])
    topic = f"{TOPIC}.fifo" if fifo else TOPIC
    made = Publisher(topic, client=sns, sleep=lambda _: None, present=_present if presented else None)
    published, failed = _outcome(made, given_events)
    assert sorted(each.event_id for each in (*published, *failed)) == sorted(event.id for event in given_events)
    out = {each.event_id for each in published}
    assert out == set(sns.taken)
    for each in failed:
        assert each.code in {"TooLarge", "NotEncodable", "InvalidEvent", "GroupBlocked", "InternalError"}


def _outcome(made: Publisher, events: Sequence[Event[Any]]) -> tuple[list[Published], list[Failed]]:
    try:
        return made.publish(events), []
    except PublishError as error:
        return error.published, error.failed


def test_a_flood_of_attributes_counts_against_the_limit_of_a_batch() -> None:
    flood = {f"name{number}": "v" * 25_000 for number in range(10)}

    def present(event: Event[Any]) -> Presentation:
        return Presentation(subject="s", texts={}, attributes=flood)

    sns = Sns()
    log = [Event.new(LogEntry(service="s", level="INFO", message="m"), source="urn:x", id=str(n)) for n in range(3)]
    Publisher(TOPIC, client=sns, present=present).publish(log)
    assert sns.taken == ["0", "1", "2"]


def _logged(*texts: str) -> list[Event[LogEntry]]:
    return [
        Event.new(LogEntry(service="s", level="INFO", message=text), source="urn:x", id=str(number))
        for number, text in enumerate(texts)
    ]


def test_what_presents_an_event_as_no_text_fails_its_event_alone() -> None:
    sns = Sns()

    def present(event: Event[Any]) -> Presentation:
        return Presentation(subject="s", texts={"sms": "\ud800" if event.id == "1" else "x"}, attributes={})

    published, failed = _outcome(Publisher(TOPIC, client=sns, present=present), _logged("a", "b", "c"))
    assert [(each.event_id, each.code) for each in failed] == [("1", "NotEncodable")]
    assert [each.event_id for each in published] == sns.taken == ["0", "2"]


def test_one_event_of_a_mebibyte_fails_alone_where_nothing_can_be_parked() -> None:
    sns = Sns()
    published, failed = _outcome(Publisher(TOPIC, client=sns), _logged("small", "x" * (1 << 20), "small"))
    assert [(each.event_id, each.code, each.is_final) for each in failed] == [("1", "TooLarge", True)]
    assert [each.event_id for each in published] == sns.taken == ["0", "2"]
