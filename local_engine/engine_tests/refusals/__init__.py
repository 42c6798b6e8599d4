"""What AWS refuses: one module per service or two. docs/aws-rules.md is generated from them."""

from engine_tests.refusals import (
    alarms,
    buckets,
    delivery_streams,
    functions,
    keys,
    mail,
    queues,
    roles,
    schedules,
    stacks,
    state_machines,
    stores,
    tables,
    topics,
)
from engine_tests.refusals.refusal import Refusal

SERVICES: dict[str, tuple[Refusal, ...]] = {
    "CloudFormation": stacks.REFUSALS,
    "SQS": queues.REFUSALS,
    "SNS": topics.REFUSALS,
    "Lambda": functions.REFUSALS,
    "IAM": roles.REFUSALS,
    "KMS": keys.REFUSALS,
    "DynamoDB": tables.REFUSALS,
    "S3": buckets.REFUSALS,
    "CloudWatch alarms": alarms.REFUSALS,
    "CloudWatch Logs": stores.LOGS,
    "EventBridge": schedules.EVENTS,
    "EventBridge Scheduler": schedules.SCHEDULER,
    "Step Functions": state_machines.REFUSALS,
    "Firehose": delivery_streams.REFUSALS,
    "Glue and Athena": stores.ANALYTICS,
    "Systems Manager Parameter Store": stores.PARAMETERS,
    "Secrets Manager": stores.SECRETS,
    "SES": mail.REFUSALS,
}
"""{service, as the page names it: its rules}"""
