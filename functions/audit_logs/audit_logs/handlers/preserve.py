"""Stores each event's document in a bucket with Object Lock."""

from audit_logs import trail
from audit_logs.documents import as_sent
from fanout import Event, Outcome, subscriber
from fanout.contracts.audit_logs import AuditRecorded


@subscriber(AuditRecorded, translate=as_sent)
def handler(event: Event[AuditRecorded]) -> Outcome:
    """Preserve the event's document, once."""
    return trail.preserve(event)
