"""Publishes every change of the primary table: the target of its stream.

Lambda delivers each shard's records in order and retries a failed batch, so a change that cannot be published now
blocks all later changes of its shard, and the order is kept. A change that would always be refused is stored in S3
before any later change of its row is published, and raises an alarm. A record that is not a change of a row is stored
after its neighbours are published, because its position among them is unknown.
https://docs.aws.amazon.com/lambda/latest/dg/services-ddb-batchfailurereporting.html
"""

import time
from typing import Any

from database_changes import settings, unpublished_store
from database_changes.domain.changes import Change
from fanout.claim_check import ClaimChecks
from fanout.identity import subscriber_name
from fanout.observability import count
from fanout.publisher import Failed, Publisher, PublishError


def handler(payload: dict[str, Any], _context: Any) -> dict[str, list[dict[str, str]]]:
    """Publish the changes of one batch, in order. Return the first that must be redelivered, if any."""
    changes = [Change.read(record) for record in payload["Records"]]
    waiting, stored_count = changes, 0
    while True:
        failures = _publish(waiting)
        stored = [
            change for change, failure in failures if failure.is_final and unpublished_store.store(change, failure)
        ]
        waiting = [change for change, _ in failures if change not in stored]
        stored_count += len(stored)
        if not stored:  # else the changes after them are published next
            break
    if changes:
        outcomes = {"published": len(changes) - len(waiting) - stored_count, "unpublished": stored_count}
        count(subscriber_name(), outcomes, _age_ms(changes))
    return {"batchItemFailures": [{"itemIdentifier": change.sequence_number} for change in waiting[:1]]}


def _publish(changes: list[Change]) -> list[tuple[Change, Failed]]:
    """Publish the readable changes; return those that were not published, in order."""
    failed: dict[str, Failed] = {}
    publisher = Publisher(settings.capture().topic_arn, claim_checks=ClaimChecks.configured())
    try:
        publisher.publish([change.event for change in changes if change.event])
    except PublishError as error:
        failed = {failure.event_id: failure for failure in error.failed}
    unreadable = (
        (change, Failed("", "Unreadable", change.problem, is_final=True)) for change in changes if not change.event
    )
    refused = ((change, failed[change.event.id]) for change in changes if change.event and change.event.id in failed)
    return sorted([*unreadable, *refused], key=lambda pair: changes.index(pair[0]))


def _age_ms(changes: list[Change]) -> int:
    times = [change.event.occurred_at.timestamp() for change in changes if change.event]
    return max(0, round((time.time() - min(times)) * 1000)) if times else 0
