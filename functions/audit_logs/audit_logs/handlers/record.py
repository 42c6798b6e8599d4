"""Appends each event to its tenant's hash chain."""

from audit_logs import chain
from audit_logs.documents import as_sent
from fanout.contracts.audit_logs import AuditRecorded
from fanout.event import Event
from fanout.handler import subscriber
from fanout.outcomes import Outcome


@subscriber(AuditRecorded, translate=as_sent)
def handler(event: Event[AuditRecorded]) -> Outcome:
    """Record the event, once and in its place."""
    return chain.append(event)
