"""SNS delivers nothing to Firehose.

Symptom: a subscription of protocol firehose gets no notification, its role is not checked, and its dead-letter queue
gets nothing.
Cause: `sns._fanout` has no branch for the protocol.
Patch: what the subscription's filter admits is put into its stream as one record, ended by a line break, raw or with
SNS's envelope, if the subscription's role may do it; what cannot be put goes to the subscription's dead-letter queue.
It can go when upstream delivers to Firehose.
"""

import base64
import json

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import firehose

from local_engine.compat import sns_to_sqs
from local_engine.compat._notifications import Notification, deliver_to
from local_engine.compat._permissions import role_allows


def apply() -> None:
    """Deliver to Firehose."""
    deliver_to(["firehose"], _deliver)


def _deliver(notification: Notification) -> None:
    text = notification.text if notification.is_raw else _on_one_line(notification.envelope())
    stream = notification.subscription["endpoint"]
    role = notification.subscription["attributes"].get("SubscriptionRoleArn", "")
    if role_allows(role, "firehose:PutRecord", stream):
        arn = parse_arn(stream)
        record = {"Data": base64.b64encode(f"{text}\n".encode()).decode()}
        with request_scope(arn.account_id, arn.region):
            status, _, answer = firehose._put_record(
                {"DeliveryStreamName": stream.rpartition("/")[2], "Record": record}
            )
        if status < 400:
            return
        why = f"Firehose refused it: {answer!r}"
    else:
        why = "its role may not put records into the stream"
    sns_to_sqs.redrive(notification.topic, notification.subscription["arn"], text, {}, why)


def _on_one_line(envelope: str) -> str:
    return json.dumps(json.loads(envelope), ensure_ascii=False, separators=(",", ":"))
