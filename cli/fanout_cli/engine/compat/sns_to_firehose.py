"""SNS delivers nothing to Firehose.

Symptom: a subscription of protocol firehose gets no notification, its role is not asked, and its dead-letter queue gets
nothing.
Cause: `sns._fanout` has no branch for the protocol.
Patch: what the subscription's filter admits is put into its stream as one record, ended by a line break, raw or with
SNS's envelope, if the subscription's role may do it; what cannot be put goes to the subscription's dead-letter queue.
It can go when upstream delivers to Firehose.
"""

import base64
import json
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import request_scope
from ministack.services import firehose, sns

from fanout_cli.engine.compat import sns_to_sqs
from fanout_cli.engine.compat._permissions import role_allows


def apply() -> None:
    """Deliver to Firehose after everything else."""
    original = sns._fanout

    def fanout(  # noqa: PLR0917 - upstream's signature
        topic: str,
        message_id: str,
        message: str,
        subject: str,
        message_structure: str = "",
        message_attributes: dict[str, Any] | None = None,
        *rest: Any,
        **named: Any,
    ) -> None:
        original(topic, message_id, message, subject, message_structure, message_attributes, *rest, **named)
        for subscription in (sns._topic_by_arn_any_scope(topic) or {}).get("subscriptions", []):
            if subscription["protocol"] != "firehose" or not subscription.get("confirmed"):
                continue
            text = sns._resolve_message_for_protocol(message, message_structure, "firehose")
            if sns._matches_filter_policy(subscription, message_attributes or {}, text):
                raw = subscription["attributes"].get("RawMessageDelivery") == "true"
                envelope = sns._build_envelope(topic, message_id, text, subject, message_attributes or {}, raw)
                _deliver(topic, subscription, text if raw else _on_one_line(envelope))

    sns._fanout = fanout


def _on_one_line(envelope: str) -> str:
    return json.dumps(json.loads(envelope), ensure_ascii=False, separators=(",", ":"))


def _deliver(topic: str, subscription: dict[str, Any], text: str) -> None:
    stream = subscription["endpoint"]
    if not role_allows(subscription["attributes"].get("SubscriptionRoleArn", ""), "firehose:PutRecord", stream):
        sns_to_sqs.redrive(topic, subscription["arn"], text, {}, "its role may not put records into the stream")
        return
    arn = parse_arn(stream)
    record = {"Data": base64.b64encode(f"{text}\n".encode()).decode()}
    with request_scope(arn.account_id, arn.region):
        status, _, answer = firehose._put_record({"DeliveryStreamName": stream.rpartition("/")[2], "Record": record})
    if status >= 400:
        sns_to_sqs.redrive(topic, subscription["arn"], text, {}, f"Firehose refused it: {answer!r}")
