"""Ready-made payloads for `sam local invoke`: what each function gets of each sample, in the shape AWS gives it.

    sam local invoke TeamEvents/TeamAFunction -e events/team_events/lambda/team_a-ordinary.json

Made from `events/<use_case>/valid/*.json`, and from `events/<use_case>/foreign/<Topic>/*`, the messages that others
publish in a form of their own. Functions that no subscription invokes: see `service_payloads`. `make generate` writes
all of them to `events/<use_case>/lambda/`; a test checks that they agree with the samples, contracts and templates.
"""

import json
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fanout import contracts, testing
from fanout.event import decode, decode_data, encode
from fanout.publisher import message_group
from fanout_cli.generate.service_payloads import service_payloads
from fanout_wiring import Wire, Wiring
from local_engine.filter_policy import PartialBody, admits

# Some sample is as large as its topic allows. What it would show here, a smaller one shows as well.
_LARGEST_BYTES = 65_536
_INSTANT = datetime(2026, 10, 8, 9, 0, 0, 123_000, UTC)
_NAMESPACE = uuid.UUID("0d7c5b9e-0b7a-5f6e-9f0b-6a4b2f6f1c55")


@dataclass(frozen=True)
class _Sample:
    name: str
    topic: str
    text: str


def payloads(root: Path, use_case: str) -> dict[str, str]:
    """Return {file name: text} of all payloads of a use case in the checkout `root`."""
    samples = [
        *_valid(root / "events" / use_case / "valid", use_case),
        *_foreign(root / "events" / use_case / "foreign"),
    ]
    delivered = {
        f"{wire.subscriber.partition('/')[2]}-{sample.name}": testing.lambda_event([_record(wire, sample)])
        for wire in Wiring(root, use_case).wires
        for sample in samples
        if wire.topic == sample.topic and _passes(wire, sample) and len(sample.text.encode()) <= _LARGEST_BYTES
    }
    made = delivered | service_payloads(root, use_case)
    return {f"{name}.json": json.dumps(each, indent=2, ensure_ascii=False) + "\n" for name, each in made.items()}


def _valid(folder: Path, use_case: str) -> Iterator[_Sample]:
    schemas = contracts.load(use_case)
    for file in sorted(folder.glob("*.json")):
        event = decode(file.read_bytes())
        yield _Sample(file.stem, contracts.contract_of(schemas[event.type]).topic, _compact(encode(event)))


def _foreign(folder: Path) -> Iterator[_Sample]:
    for file in sorted(folder.glob("*/*")):
        text = file.read_text(encoding="utf-8").removesuffix("\n")
        yield _Sample(file.stem, file.parent.name, _compact(text) if file.suffix == ".json" else text)


def _compact(document: str | bytes) -> str:
    return json.dumps(json.loads(document), ensure_ascii=False, separators=(",", ":"))


def _passes(wire: Wire, sample: _Sample) -> bool:
    if wire.filter_policy is None:
        return True
    return admits(wire.filter_policy, PartialBody.complete(json.loads(sample.text))) is not False


def _record(wire: Wire, sample: _Sample) -> dict[str, Any]:
    """Return the record, with ids and times that are the same whenever it is made."""
    message_id = _id(sample.topic, sample.name)
    if wire.delivery == "direct":
        record = testing.sns_record(sample.text, topic=sample.topic)
        record["EventSubscriptionArn"] = f"{record['Sns']['TopicArn']}:{_id(wire.subscriber)}"
        record["Sns"] |= _sent(message_id)
        return record
    body = sample.text
    if wire.delivery == "envelope":
        body = json.dumps(testing.notification(body, topic=sample.topic) | _sent(message_id), ensure_ascii=False)
    group = _group(sample.text) if wire.queue.endswith(".fifo") else None
    record = testing.sqs_record(body, queue=wire.queue, group=group, message_id=_id(wire.subscriber, sample.name))
    milliseconds = str(int(_INSTANT.timestamp() * 1000))
    record["attributes"] |= {"SentTimestamp": milliseconds, "ApproximateFirstReceiveTimestamp": milliseconds}
    return record | {"receiptHandle": f"receipt-{_id(wire.subscriber, sample.name)}"}


def _group(text: str) -> str:
    """Return the message group that the publisher puts an event into."""
    event = decode(text)
    schema = contracts.schema_of(event.type)
    if schema is None:
        raise ValueError(f"{event.type} is on a FIFO topic and has no contract to name its group")
    return message_group(decode_data(event, schema))


def _sent(message_id: str) -> dict[str, str]:
    return {
        "MessageId": message_id,
        "Timestamp": _INSTANT.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def _id(*names: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "/".join(names)))


def main() -> None:
    """Write the payloads of every use case that has samples, in the checkout named on the command line."""
    root = Path(sys.argv[1])
    for events in sorted((root / "events").iterdir()):
        folder = events / "lambda"
        folder.mkdir(exist_ok=True)
        made = payloads(root, events.name)
        for file in folder.glob("*.json"):
            if file.name not in made:
                file.unlink()
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
