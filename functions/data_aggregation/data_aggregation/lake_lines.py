"""Converts the events that Firehose has collected to lines of the lake.

A line has the columns of the table `raw_events`: the event with the fields of its contract, `occurred_at` in UTC, and
in `raw` the body as published. Line breaks in a body, fields that differ only in case, and unknown types never reach
Athena. An invalid event goes to `rejected/` in the bucket, and so does an event whose claim check cannot be read
within the invocation's time: otherwise Firehose would retry the whole batch and finally drop it.

https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html
"""

import base64
import random
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import msgspec

from fanout import Event, Reject, contracts
from fanout.claim_check import ClaimChecks
from fanout.contracts import data_aggregation
from fanout.deadline import Deadline, DeadlineReached
from fanout.event import InvalidEvent, decode, decode_data
from fanout.observability import describe, logger

_SCHEMAS = {
    contracts.contract_of(schema).type: schema
    for schema in (data_aggregation.WebPageview, data_aggregation.MobileSession, data_aggregation.StoreSale)
}


# Maximum seconds before each further attempt to read a claim check, shared by the whole batch: during an outage of S3,
# waiting for every record would leave no time to try the others.
_WAITS = (1.0, 2.0, 4.0, 8.0)


def convert(records: list[dict[str, Any]], deadline: Deadline) -> list[dict[str, Any]]:
    """Return Firehose's result for each record: Ok with its line and its day, or ProcessingFailed."""
    waits = iter(_WAITS)
    return [_result(record, deadline, waits) for record in records]


def _result(record: dict[str, Any], deadline: Deadline, waits: Iterator[float]) -> dict[str, Any]:
    try:
        return _line(record, deadline, waits)
    except (UnicodeDecodeError, InvalidEvent, Reject) as error:
        reason = str(error)[:1000]
    except (Exception, DeadlineReached) as error:  # concerns this record only
        reason = describe(error)
    logger.warning("not written to the lake", reason=reason, record_id=record["recordId"])
    return {"recordId": record["recordId"], "result": "ProcessingFailed", "data": record["data"]}


def _line(record: dict[str, Any], deadline: Deadline, waits: Iterator[float]) -> dict[str, Any]:
    body = base64.b64decode(record["data"]).decode().removesuffix("\n")
    event = _event(body, deadline, waits)
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


def _event(body: str, deadline: Deadline, waits: Iterator[float]) -> Event[Any]:
    """Return the typed event of a body, with its claim check's data. Raises InvalidEvent, Reject if the claim check has
    no object, and what S3 raises or DeadlineReached if it cannot be read.
    """
    event = decode(body)
    if event.type not in _SCHEMAS:
        raise InvalidEvent(f"no contract is known for {event.type!r}")
    if event.claimcheck is not None:
        claim_checks = ClaimChecks.configured()
        if claim_checks is None:
            raise InvalidEvent("it has a claim check, and no bucket is configured")
        with deadline.enforced():
            event = _retrieve(claim_checks, event, waits)
    return decode_data(event, _SCHEMAS[event.type])


def _retrieve(claim_checks: ClaimChecks, stub: Event[msgspec.Raw], waits: Iterator[float]) -> Event[msgspec.Raw]:
    for wait in waits:
        try:
            return claim_checks.retrieve(stub)
        except Reject:
            raise
        except Exception as error:
            logger.info("a claim check could not be read, retrying", error=describe(error))
            time.sleep(random.uniform(0, wait))  # noqa: S311 - jitter keeps no secret
    return claim_checks.retrieve(stub)
