"""SNS invokes functions as AWS never would.

Symptom: a function without a permission for the topic is invoked; an error is not retried; the
subscription's dead-letter queue and the function's destination get nothing; the record has
SigningCertURL and UnsubscribeURL (AWS: ...Url), no Subject and no MessageAttributes when they are empty.
Cause: `sns._deliver_to_lambda` runs the function once and logs what went wrong.
Patch: the function's policy is evaluated with the topic as source; then the event is accepted as an
asynchronous invocation (see `async_invocations`); what SNS cannot hand over goes to the subscription's
dead-letter queue.
It can go when upstream delivers through `invoke_async_with_retry` and checks the function's policy.
"""

import json
from typing import Any

from ministack.services import lambda_svc, sns

from local_engine.compat import async_invocations, sns_to_sqs
from local_engine.compat._permissions import service_allowed


def apply() -> None:
    """Replace the delivery from a topic to a function."""
    sns._deliver_to_lambda = _deliver


def _deliver(
    endpoint: str,
    envelope: str,
    topic: str,
    subscription: str,
    _message_id: str,
    _message: str,
    _attributes: dict[str, Any],
) -> None:
    base, _, _ = lambda_svc._get_base_func_record_for_ref(endpoint)
    record, _, _ = lambda_svc._get_func_record_for_ref(endpoint)
    if base is None or record is None:
        sns_to_sqs.redrive(topic, subscription, envelope, {}, "the function does not exist")
    elif not service_allowed(base.get("policy"), "sns.amazonaws.com", "lambda:InvokeFunction", endpoint, topic):
        sns_to_sqs.redrive(topic, subscription, envelope, {}, "the function's policy does not allow it")
    else:
        event = {
            "Records": [
                {
                    "EventSource": "aws:sns",
                    "EventVersion": "1.0",
                    "EventSubscriptionArn": subscription,
                    "Sns": _record(json.loads(envelope)),
                }
            ]
        }
        async_invocations.invoke(endpoint, event)


def _record(envelope: dict[str, Any]) -> dict[str, Any]:
    """Return the notification as functions get it: with other capital letters than in a queue, and complete."""
    return {
        "Type": envelope["Type"],
        "MessageId": envelope["MessageId"],
        "TopicArn": envelope["TopicArn"],
        "Subject": envelope.get("Subject"),
        "Message": envelope["Message"],
        "Timestamp": envelope["Timestamp"],
        "SignatureVersion": envelope["SignatureVersion"],
        "Signature": envelope["Signature"],
        "SigningCertUrl": envelope["SigningCertURL"],
        "UnsubscribeUrl": envelope["UnsubscribeURL"],
        "MessageAttributes": envelope.get("MessageAttributes", {}),
    }
