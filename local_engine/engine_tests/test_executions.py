"""Executions do what their role may, end when they are stopped, and survive a restart; rules check the policy.

compat/execution_roles.py, stopped_executions.py, interrupted_executions.py, error_types.py,
rules.py
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine_tests.aws import Aws, allow, until
from local_engine import process

# Sends its input to the queue; fails or waits if the input says so.
SOURCE = """
import json, time, boto3

def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl=event["queue"], MessageBody=json.dumps(event))
    time.sleep(event.get("seconds", 0))
    if event.get("fail"):
        raise RuntimeError("on purpose")
    return {}
"""
ENDED = {"source": ["aws.states"], "detail-type": ["Step Functions Execution Status Change"]}


def machine(aws: Aws, role: str, **states: Any) -> str:
    """ARN of a new state machine of these states, the first of which it begins with."""
    definition = {"StartAt": next(iter(states)), "States": states}
    arn: str = aws.stepfunctions.create_state_machine(
        name=aws.name("machine"), definition=json.dumps(definition), roleArn=role
    )["stateMachineArn"]
    return arn


def run(aws: Aws, machine_arn: str, **given: Any) -> str:
    """ARN of a new execution."""
    arn: str = aws.stepfunctions.start_execution(stateMachineArn=machine_arn, input=json.dumps(given))["executionArn"]
    return arn


def ended(aws: Aws, execution: str) -> dict[str, Any]:
    """What DescribeExecution says once an execution is over."""

    def over() -> dict[str, Any] | None:
        found: dict[str, Any] = aws.stepfunctions.describe_execution(executionArn=execution)
        return None if found["status"] == "RUNNING" else found

    return until(over, f"the end of {execution}", seconds=40, every=0.1)


def calls(aws: Aws, function: str) -> dict[str, Any]:
    """A state that calls a function with the state's input."""
    target = {"FunctionName": aws.function_arn(function), "Payload.$": "$"}
    return {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Parameters": target, "End": True}


def maps(aws: Aws, bucket: str, function: str) -> dict[str, Any]:
    """A Distributed Map over a list in S3, one item at a time, that calls a function with each."""
    return {
        "Type": "Map",
        "MaxConcurrency": 1,
        "ItemReader": {
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {"InputType": "JSON"},
            "Parameters": {"Bucket": bucket, "Key": "items"},
        },
        "ItemProcessor": {
            "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
            "StartAt": "Call",
            "States": {"Call": calls(aws, function)},
        },
        "End": True,
    }


def items(aws: Aws, *values: dict[str, Any]) -> str:
    """A bucket with a list of items."""
    bucket = aws.name("bucket")
    aws.s3.create_bucket(Bucket=bucket)
    aws.s3.put_object(Bucket=bucket, Key="items", Body=json.dumps(values).encode())
    return bucket


def test_an_execution_calls_a_function_that_its_role_may_call_and_no_other(aws: Aws) -> None:
    queue, _ = aws.queue()
    mine, other = (aws.function(SOURCE, allow("sqs:SendMessage")) for _ in range(2))
    role = aws.role(allow("lambda:InvokeFunction", aws.function_arn(mine)))
    assert ended(aws, run(aws, machine(aws, role, Call=calls(aws, mine)), queue=queue))["status"] == "SUCCEEDED"
    refused = ended(aws, run(aws, machine(aws, role, Call=calls(aws, other)), queue=queue))
    assert (refused["status"], refused["error"]) == ("FAILED", "Lambda.AWSLambdaException")
    assert len(aws.messages(queue)) == 1


def retried(call: dict[str, Any], *errors: str) -> dict[str, Any]:
    """The same state, tried three times in all, but not again after one of these errors."""
    never = {"ErrorEquals": list(errors), "MaxAttempts": 0}
    return {**call, "Retry": [never, {"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]}


def test_a_state_knows_a_functions_exception_by_its_name(aws: Aws) -> None:
    queue, _ = aws.queue()
    function = aws.function(SOURCE, allow("sqs:SendMessage"))
    role = aws.role(allow("lambda:InvokeFunction"))
    for named, attempts in (("RuntimeError", 1), ("ValueError", 3)):
        execution = run(aws, machine(aws, role, Call=retried(calls(aws, function), named)), queue=queue, fail=True)
        found = ended(aws, execution)
        assert (found["error"], json.loads(found["cause"])["errorMessage"]) == ("RuntimeError", "on purpose")
        assert len(aws.messages(queue)) == attempts


@pytest.mark.parametrize(
    ("missing", "error"),
    [("s3:GetObject", "States.ItemReaderFailed"), ("states:StartExecution", "StepFunctions.AWSStepFunctionsException")],
)
def test_a_distributed_map_needs_its_list_and_executions_of_its_own(aws: Aws, missing: str, error: str) -> None:
    queue, _ = aws.queue()
    function = aws.function(SOURCE, allow("sqs:SendMessage"))
    needed = ["lambda:InvokeFunction", "s3:GetObject", "states:StartExecution"]
    state = maps(aws, items(aws, {"queue": queue}), function)
    whole = machine(aws, aws.role(allow(needed)), Map=state)
    assert ended(aws, run(aws, whole))["status"] == "SUCCEEDED"
    less = machine(aws, aws.role(allow([each for each in needed if each != missing])), Map=state)
    assert ended(aws, run(aws, less))["error"] == error
    assert len(aws.messages(queue)) == 1


def test_the_items_of_a_stopped_execution_do_not_start(aws: Aws) -> None:
    queue, _ = aws.queue()
    function = aws.function(SOURCE, allow("sqs:SendMessage"))
    bucket = items(aws, *({"queue": queue, "seconds": 0.5, "number": number} for number in range(4)))
    execution = run(aws, machine(aws, aws.role(allow("*")), Map=maps(aws, bucket, function)))
    aws.receive(queue, seconds=30)
    aws.stepfunctions.stop_execution(executionArn=execution)
    assert ended(aws, execution)["status"] == "ABORTED"
    [map_run] = aws.stepfunctions.list_map_runs(executionArn=execution)["mapRuns"]

    def counts() -> dict[str, int]:
        found: dict[str, int] = aws.stepfunctions.describe_map_run(mapRunArn=map_run["mapRunArn"])["itemCounts"]
        return found if not found["pending"] + found["running"] else {}

    assert until(counts, "the end of the map", seconds=30)["failed"] == 3
    assert aws.depth(queue) == 0


def rule(aws: Aws, machine_arn: str, function: str, *, permitted: bool) -> None:
    """A rule that notifies a function of the ends of a machine's executions."""
    name = aws.name("rule")
    pattern = {**ENDED, "detail": {"stateMachineArn": [machine_arn], "status": ["SUCCEEDED"]}}
    arn = aws.events.put_rule(Name=name, EventPattern=json.dumps(pattern))["RuleArn"]
    target = {"Id": "it", "Arn": aws.function_arn(function), "InputPath": "$.detail.input"}
    aws.events.put_targets(Rule=name, Targets=[target])
    if permitted:
        aws.client("lambda").add_permission(
            FunctionName=function,
            StatementId="rule",
            Action="lambda:InvokeFunction",
            Principal="events.amazonaws.com",
            SourceArn=arn,
        )


# EventBridge hands over the execution's input as a text of its own.
REPORTS = SOURCE.replace(
    "def handler(event, context):\n", "def handler(event, context):\n    event = json.loads(event)\n"
)


def test_a_rule_calls_a_function_that_lets_it_with_lambdas_own_retries(aws: Aws) -> None:
    queue, _ = aws.queue()
    refusing, _ = aws.queue()
    done = machine(aws, aws.role(), Done={"Type": "Succeed"})
    rule(aws, done, aws.function(REPORTS, allow("sqs:SendMessage")), permitted=True)
    run(aws, done, queue=queue, fail=True)
    until(lambda: aws.depth(queue) == 3, "three attempts", seconds=40)

    other = machine(aws, aws.role(), Done={"Type": "Succeed"})
    rule(aws, other, aws.function(REPORTS, allow("sqs:SendMessage")), permitted=False)
    rule(aws, other, aws.function(REPORTS, allow("sqs:SendMessage")), permitted=True)
    run(aws, other, queue=refusing)
    aws.receive(refusing, seconds=30)
    assert aws.depth(refusing) == 0


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Path]:
    """The state folder of an engine that a test stops and starts."""
    yield tmp_path
    process.stop(tmp_path, purge=True)


def test_an_execution_that_runs_while_the_engine_stops_starts_over(restarted: Path) -> None:
    aws = Aws(process.start(restarted, 0))
    queue, _ = aws.queue()
    first, second = (aws.function(SOURCE, allow("sqs:SendMessage")) for _ in range(2))
    call = {**calls(aws, first), "ResultPath": None, "Next": "Wait"}
    call.pop("End")
    wait = {"Type": "Wait", "Seconds": 2, "Next": "Again"}
    execution = run(
        aws, machine(aws, aws.role(allow("*")), Call=call, Wait=wait, Again=calls(aws, second)), queue=queue
    )
    aws.receive(queue, seconds=30)
    process.stop(restarted)
    aws = Aws(process.start(restarted))
    assert ended(aws, execution)["status"] == "SUCCEEDED"
    assert len(aws.messages(queue)) == 2


def test_upstream_still_does_what_the_role_may_not(upstream: Aws) -> None:
    queue, _ = upstream.queue()
    function = upstream.function(SOURCE, allow("sqs:SendMessage"))
    execution = run(upstream, machine(upstream, upstream.role(), Call=calls(upstream, function)), queue=queue)
    assert ended(upstream, execution)["status"] == "SUCCEEDED"


def test_upstream_still_calls_every_exception_the_same(upstream: Aws) -> None:
    queue, _ = upstream.queue()
    function = upstream.function(SOURCE, allow("sqs:SendMessage"))
    execution = run(
        upstream, machine(upstream, upstream.role(), Call=calls(upstream, function)), queue=queue, fail=True
    )
    assert ended(upstream, execution)["error"] == "Runtime.HandlerError"


def test_upstream_still_starts_the_items_of_a_stopped_execution(upstream: Aws) -> None:
    queue, _ = upstream.queue()
    function = upstream.function(SOURCE, allow("sqs:SendMessage"))
    bucket = items(upstream, *({"queue": queue, "seconds": 0.5, "number": number} for number in range(3)))
    execution = run(upstream, machine(upstream, upstream.role(allow("*")), Map=maps(upstream, bucket, function)))
    upstream.receive(queue, seconds=30)
    upstream.stepfunctions.stop_execution(executionArn=execution)
    until(lambda: upstream.depth(queue) == 2, "the others", seconds=30)


def test_upstream_still_lets_a_rule_call_any_function(upstream: Aws) -> None:
    queue, _ = upstream.queue()
    done = machine(upstream, upstream.role(), Done={"Type": "Succeed"})
    rule(upstream, done, upstream.function(REPORTS, allow("sqs:SendMessage")), permitted=False)
    run(upstream, done, queue=queue)
    upstream.receive(queue, seconds=30)


def test_upstream_still_fails_what_runs_while_the_engine_stops(restarted: Path) -> None:
    aws = Aws(process.start(restarted, 0, patched=False))
    execution = run(aws, machine(aws, aws.role(), Wait={"Type": "Wait", "Seconds": 60, "End": True}))
    until(
        lambda: aws.stepfunctions.get_execution_history(executionArn=execution)["events"][1:],
        "its first state",
        seconds=20,
    )
    process.stop(restarted)
    aws = Aws(process.start(restarted, patched=False))
    assert ended(aws, execution)["error"] == "States.ServiceRestart"
