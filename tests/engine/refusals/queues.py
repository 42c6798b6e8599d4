"""What SQS refuses."""

import json
from typing import Any

from tests.engine.aws import Aws
from tests.engine.refusals.refusal import Refusal

_GUIDE = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide"


def _policy(*resources: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": list(resources),
            }
        ],
    }


def _set_policy(aws: Aws, policy: str) -> None:
    url, _ = aws.queue()
    aws.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


REFUSALS = (
    Refusal(
        id="sqs-a-policy-statement-has-one-resource",
        rule="A statement of a queue policy has exactly one resource",
        source="https://github.com/remind101/stacker_blueprints/pull/71",
        code="InvalidAttributeValue",
        text="Invalid value for the parameter Policy.",
        held="strictness/queues.py",
        call=lambda aws: _set_policy(aws, json.dumps(_policy("arn:aws:sqs:*:*:a", "arn:aws:sqs:*:*:b"))),
        template={
            "Resources": {
                "One": {"Type": "AWS::SQS::Queue"},
                "Other": {"Type": "AWS::SQS::Queue"},
                "Policy": {
                    "Type": "AWS::SQS::QueuePolicy",
                    "Properties": {
                        "Queues": [{"Ref": "One"}],
                        "PolicyDocument": _policy({"Fn::GetAtt": ["One", "Arn"]}, {"Fn::GetAtt": ["Other", "Arn"]}),
                    },
                },
            }
        },
    ),
)
