"""Each tenant's hash chain, in DynamoDB.

    pk                          sk                    attributes
    chain#<tenant>              entry#<20 digits>     the fields of a Link, hash, body: the document as text
    chain#<tenant>              head                  sequence and hash of the last entry
    event#<tenant>#<name>       entry                 sequence: the number of the event's entry (`documents.name_of`)

An entry's hash is the SHA-256 of its Link in canonical JSON. The link contains the hashes of the document and of the
previous entry, so a changed, deleted, inserted or moved entry changes every later hash.

An entry, the new head and the event's idempotency record are written in one transaction, on condition that the head is
the one the entry was linked to, and that the event has no entry yet. So even with duplicates and concurrent deliveries,
the chain has one end and each event one entry. Nothing in this table expires.
"""

from datetime import UTC, datetime
from typing import Any

import msgspec
import rfc8785

from audit_logs import documents, settings
from fanout import Event, Outcome, Reject, Retry, aws
from fanout.contracts.audit_logs import AuditRecorded
from fanout.dynamodb import ConditionFailedError, from_item, to_item, transact

FORMAT = "fanout-audit-1"
BEFORE_THE_FIRST = "0" * 64
"""The previous hash of a chain's first entry."""

_RECORD = 2
# Concurrent appends to one chain are rare (a redrive beside the queue); the later one appends after the earlier one.
_ATTEMPTS = 5


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """The hashed fields of an entry."""

    format: str = FORMAT
    tenant: str
    sequence: int
    """From 1, without gaps."""
    recorded_at: str
    """When the entry was written. The document has the event's own time."""
    source: str
    id: str
    document_sha256: str
    previous: str
    """The hash of the previous entry."""

    @property
    def hash(self) -> str:
        """The entry's hash."""
        return documents.digest(rfc8785.dumps(msgspec.to_builtins(self)))


def append(event: Event[AuditRecorded]) -> Outcome:
    """Append the event's document to its tenant's chain, once.

    Raises Reject if another event has the same source and id, Retry if other appends were faster at every attempt.
    """
    body = documents.document(event, settings.sensitive_paths())
    for _ in range(_ATTEMPTS):
        head = _item(f"chain#{event.data.tenant}", "head")
        link = Link(
            tenant=event.data.tenant,
            sequence=int(head.get("sequence", 0)) + 1,
            recorded_at=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            source=event.source,
            id=event.id,
            document_sha256=documents.digest(body),
            previous=head.get("hash", BEFORE_THE_FIRST),
        )
        try:
            transact(_actions(event, link, body))
        except ConditionFailedError as error:
            if _RECORD in error.failed:
                return _compare(event)
        else:
            return Outcome.PROCESSED
    raise Retry("chain: its head changed at every attempt, or is not its last entry; run fanout audit verify")


def _actions(event: Event[AuditRecorded], link: Link, body: bytes) -> list[dict[str, Any]]:
    table, chain = settings.chain().audit_table, f"chain#{link.tenant}"
    entry = {
        "pk": chain,
        "sk": f"entry#{link.sequence:020}",
        **msgspec.to_builtins(link),
        "hash": link.hash,
        "body": body.decode(),
    }
    head = {"pk": chain, "sk": "head", "sequence": link.sequence, "hash": link.hash}
    record = {**_record_key(event), "sequence": link.sequence}
    if link.previous == BEFORE_THE_FIRST:
        is_linked_to: dict[str, Any] = {"ConditionExpression": "attribute_not_exists(pk)"}
    else:
        is_linked_to = {
            "ConditionExpression": "#hash = :previous",
            "ExpressionAttributeNames": {"#hash": "hash"},
            "ExpressionAttributeValues": to_item({":previous": link.previous}),
        }
    is_new = {"ConditionExpression": "attribute_not_exists(pk)"}
    return [
        {"Put": {"TableName": table, "Item": to_item(item), **condition}}
        for item, condition in ((head, is_linked_to), (entry, is_new), (record, is_new))
    ]


def _compare(event: Event[AuditRecorded]) -> Outcome:
    """Compare the event with the entry under its source and id. Raises Reject if that is another event's."""
    sequence = int(_item(**_record_key(event)).get("sequence", 0))
    entry = _item(f"chain#{event.data.tenant}", f"entry#{sequence:020}")
    if "body" not in entry:
        raise Retry("chain: the event is recorded but has no entry; run fanout audit verify")
    if not documents.is_of(event, entry["body"].encode(), settings.sensitive_paths()):
        raise Reject("conflict", f"entry {sequence} is of another event under the same source and id")
    return Outcome.DUPLICATE


def _record_key(event: Event[AuditRecorded]) -> dict[str, str]:
    return {"pk": f"event#{event.data.tenant}#{documents.name_of(event)}", "sk": "entry"}


def _item(pk: str, sk: str) -> dict[str, Any]:
    answer = aws.client("dynamodb").get_item(
        TableName=settings.chain().audit_table, Key=to_item({"pk": pk, "sk": sk}), ConsistentRead=True
    )
    return from_item(answer.get("Item", {}))
