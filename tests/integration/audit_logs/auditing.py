"""What the tests of audit_logs on the engine share: events, deliveries that SNS does not recognise, and an auditor."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import Event, encode
from fanout.identity import new_id
from tests.integration.application import Application
from tests.waiting import until

RECORD, PRESERVE = "audit_logs/record", "audit_logs/preserve"
FINAL = {"processed", "duplicate", "rejected", "dead-lettered"}


def audited(tenant: str, **data: Any) -> Event[AuditRecorded]:
    """An event of that tenant."""
    given = {"actor": "user/ada", "action": "user.role.changed", "resource": "user/grace", "outcome": "success", **data}
    return Event.new(AuditRecorded(tenant=tenant, **given), source="urn:test:iam")


def deliver(application: Application, events: Iterable[Event[Any]]) -> None:
    """Publish in this order, each under a deduplication id of its own: SNS would drop the duplicates among them."""
    sns, topic = application.client("sns"), application.topic("AuditLogs")
    waiting = list(events)
    for start in range(0, len(waiting), 10):
        entries = [
            {
                "Id": str(number),
                "Message": encode(event).decode(),
                "MessageGroupId": event.data.tenant,
                "MessageDeduplicationId": new_id(),
            }
            for number, event in enumerate(waiting[start : start + 10])
        ]
        assert not sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries).get("Failed")


def settled(application: Application, ids: Sequence[str], seconds: float = 120) -> None:
    """Wait until each delivery to both functions has its final outcome. An id may occur more than once."""
    for subscriber in (RECORD, PRESERVE):
        until(
            lambda name=subscriber: (
                sorted(each.event_id for each in application.receipts(name, ids) if each.outcome in FINAL)  # type: ignore[misc]
                == sorted(ids)
            ),
            f"{subscriber} has answered {len(ids)} deliveries",
            seconds=seconds,
            every=1,
        )


def verify(application: Application, tenant: str, *options: str, expected: int) -> dict[str, Any]:
    """What `fanout audit verify` says, which must end with that exit code."""
    found: dict[str, Any] = json.loads(
        application.fanout("audit", "verify", "--tenant", tenant, "--json", *options, check=expected).stdout
    )
    return found


def table(application: Application) -> str:
    return application.subscriber(RECORD).environment["AUDIT_TABLE"]


def bucket(application: Application) -> str:
    return application.subscriber(PRESERVE).environment["TRAIL_BUCKET"]


def chain(application: Application, tenant: str) -> list[dict[str, Any]]:
    """The entries of a tenant in order."""
    items = [item for item in application.items(table(application)) if item["pk"] == f"chain#{tenant}"]
    return sorted((item for item in items if item["sk"] != "head"), key=lambda item: item["sk"])


def document_key(event: Event[Any]) -> str:
    name = hashlib.sha256(f'["{event.source}","{event.id}"]'.encode()).hexdigest()
    return f"documents/{event.data.tenant}/{name}.json"
