"""Searches, guided by coverage, for bytes that make reading a body fail otherwise than by refusal: `make fuzz`.

No test: it never ends by itself, and every run is another. What it finds becomes a case of the tests beside it.
https://github.com/google/atheris
"""

import contextlib
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import atheris
import msgspec

ROOT = Path(__file__).parents[2]
sys.path[:0] = [
    str(ROOT / name)
    for name in (
        "layers/common",
        *(f"functions/{name}" for name in ("application_logs", "system_alerts", "team_events", "user_registration")),
    )
]

with atheris.instrument_imports():
    from application_logs import cloudwatch_logs
    from fanout import contracts, delivery
    from fanout.delivery import Notification
    from fanout.event import InvalidEvent, decode, decode_data, encode
    from fanout.outcomes import Discard, Reject
    from system_alerts import cloudwatch_alarms
    from team_events import plain_text
    from user_registration.domain import ses_feedback

SCHEMAS = [schema for use_case in contracts.use_cases() for schema in contracts.load(use_case).values()]
TRANSLATORS = (cloudwatch_alarms.from_cloudwatch, plain_text.from_plain_text, ses_feedback.from_ses)
BATCH = cloudwatch_logs.Batch("DATA_MESSAGE", "1", "/aws/lambda/x", "stream", [])
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def _record(text: str) -> dict[str, Any]:
    return {
        "messageId": "m",
        "receiptHandle": "r",
        "body": text,
        "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1791450000123"},
        "messageAttributes": {"fanout": {"stringValue": text, "dataType": "String"}},
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:q",
    }


def one(data: bytes) -> None:
    """Read one input in every way that there is."""
    with contextlib.suppress(InvalidEvent):
        decode(data)
    text = data.decode("utf-8", "replace")
    found = delivery.read(_record(text)).notification
    assert found.timestamp.tzinfo is not None
    assert len(found.message_id) <= 128
    with contextlib.suppress(InvalidEvent):
        event = decode(found.text)
        event.identity.encode()
        decode(encode(event))
        for schema in SCHEMAS:
            with contextlib.suppress(InvalidEvent):
                encode(decode_data(event, schema))
    notification = Notification(text=text, message_id="m", timestamp=NOW, topic_arn="arn:aws:sns:::t")
    for translate in TRANSLATORS:
        with contextlib.suppress(Reject, Discard, InvalidEvent):
            if (made := translate(notification)) is not None:
                decode(encode(made))
    _read_log_line(text)


def _read_log_line(text: str) -> None:
    """A line of a log always becomes an entry that the contract takes."""
    contracts.decode(
        contracts.load("application_logs")["log.entry.v1"], msgspec.json.encode(cloudwatch_logs.entry(text, BATCH))
    )


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
