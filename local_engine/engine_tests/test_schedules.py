"""Schedules run the functions that their role may run: compat/schedules.py."""

import json
from datetime import UTC, datetime, timedelta

from engine_tests.aws import Aws, allow, until

# Reports to the queue that it ran, and fails.
SOURCE = """
import json, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=json.dumps(event))
    raise RuntimeError("on purpose")
"""


def schedule(aws: Aws, function: str, role: str, queue: str) -> None:
    """A schedule that is due."""
    moment = datetime.now(UTC) - timedelta(minutes=1)
    aws.scheduler.create_schedule(
        Name=aws.name("schedule"),
        ScheduleExpression=f"at({moment:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": aws.function_arn(function), "RoleArn": role, "Input": json.dumps({"queue": queue})},
    )


def test_a_schedule_runs_its_function_with_lambdas_own_retries(aws: Aws) -> None:
    queue, _ = aws.queue()
    function = aws.function(SOURCE, allow("sqs:SendMessage"))
    schedule(aws, function, aws.role(allow("lambda:InvokeFunction", aws.function_arn(function))), queue)
    until(lambda: aws.depth(queue) == 3, "three attempts", seconds=40)
    assert json.loads(aws.receive(queue)["Body"]) == {"queue": queue}


def test_a_schedule_runs_nothing_that_its_role_may_not_run(aws: Aws) -> None:
    refused, _ = aws.queue()
    allowed, _ = aws.queue()
    function = aws.function(SOURCE, allow("sqs:SendMessage"))
    schedule(aws, function, aws.role(), refused)
    schedule(aws, function, aws.role(allow("lambda:InvokeFunction", aws.function_arn(function))), allowed)
    until(lambda: aws.depth(allowed) == 3, "the schedule that came after it has run", seconds=40)
    assert aws.depth(refused) == 0


def test_upstream_still_runs_what_the_role_may_not_run(upstream: Aws) -> None:
    queue, _ = upstream.queue()
    function = upstream.function(SOURCE, allow("sqs:SendMessage"))
    schedule(upstream, function, upstream.role(), queue)
    assert upstream.receive(queue, seconds=40)
