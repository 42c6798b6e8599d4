"""Makes lines of the lake out of the events that Firehose has collected. Firehose invokes it before it writes.

A line is what the table `raw_events` says: the event as its contract knows it, `occurred_at` in UTC, and in `raw` the
body as it was published. So a line break within a body, fields that differ in nothing but capitals, or a type that
nobody knows make no line that Athena stumbles over. What is no valid event goes to `rejected/` in the bucket.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

import base64
from datetime import datetime
from typing import Any

import msgspec

from fanout import contracts
from fanout.claim_check import ClaimChecks
from fanout.contracts import data_aggregation
from fanout.event import Event, InvalidEvent, decode, decode_data
from fanout.failures import Reject
from fanout.observability import logger

_SCHEMAS = {
    contracts.contract_of(schema).type: schema
    for schema in (data_aggregation.WebPageview, data_aggregation.MobileSession, data_aggregation.StoreSale)
}


def handler(batch: dict[str, Any], _context: Any) -> dict[str, list[dict[str, Any]]]:
    """Answer for each record of a batch: Ok with its line and its day, or ProcessingFailed.

    Raises what S3 raises where the rest of an event cannot be fetched: Firehose then comes again with the batch.
    """
    return {"records": [_answer(record) for record in batch["records"]]}


def _answer(record: dict[str, Any]) -> dict[str, Any]:
    try:
        body = base64.b64decode(record["data"]).decode().removesuffix("\n")
        event = _event(body)
    except (UnicodeDecodeError, InvalidEvent, Reject) as error:
        logger.warning("not taken into the lake", reason=str(error)[:1000], record_id=record["recordId"])
        return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}
    moment: datetime = event.data.moment
    line = {
        "occurred_at": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        **msgspec.to_builtins(event),
        "raw": body,
    }
    return {
        "recordId": record["recordId"],
        "result": "Ok",
        "data": base64.b64encode(msgspec.json.encode(line) + b"\n").decode(),
        "metadata": {"partitionKeys": {"dt": f"{moment:%Y-%m-%d}"}},
    }


def _event(body: str) -> Event[Any]:
    """The event in a body, whole and typed. Raises InvalidEvent, or Reject for a claim check that leads nowhere."""
    event = decode(body)
    if event.type not in _SCHEMAS:
        raise InvalidEvent(f"no contract is known for {event.type!r}")
    if event.claimcheck is not None:
        parked = ClaimChecks.configured()
        if parked is None:
            raise InvalidEvent("it is parked under a claim check, and no bucket is configured")
        event = parked.redeem(event)
    return decode_data(event, _SCHEMAS[event.type])
