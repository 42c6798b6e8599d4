"""Appends each event to its tenant's hash chain."""

from audit_logs import chain
from audit_logs.documents import as_sent
from fanout import Event, Outcome, subscriber
from fanout.contracts.audit_logs import AuditRecorded


@subscriber(AuditRecorded, translate=as_sent)
def handler(event: Event[AuditRecorded]) -> Outcome:
    """Record the event, once."""
    return chain.append(event)
