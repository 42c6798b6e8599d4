"""Functions: their properties, versions, permissions, workers."""

import contextlib
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil

from engine_tests.aws import RUNTIME, Aws, allow, zipped
from tests.waiting import until

SAM = "AWS::Serverless-2016-10-31"
ECHO = "def handler(event, context): return {!r}"


def inline(role: str, source: str = "def handler(event, context): return 1", **more: Any) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": RUNTIME,
            "Handler": "index.handler",
            "Role": role,
            "Code": {"ZipFile": source},
            **more,
        },
    }


def s3_uri(url: str) -> str:
    return "s3://" + "/".join(url.split("/")[-2:])


def answer(aws: Aws, function: str, payload: Any = None) -> Any:
    body = json.dumps(payload)
    return json.load(aws.client("lambda").invoke(FunctionName=function, Payload=body)["Payload"])


def workers(aws: Aws, function: str) -> list[psutil.Process]:
    found = []
    for child in psutil.Process(aws.engine.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if f"ministack-lambda-{function}-" in " ".join(child.cmdline()):
                found.append(child)
    return found


def test_a_template_sets_and_takes_away_concurrency_and_dead_letter_queue(aws: Aws) -> None:
    role = aws.role()
    _, graveyard = aws.queue()
    settings = {"ReservedConcurrentExecutions": 3, "DeadLetterConfig": {"TargetArn": graveyard}}
    stack = aws.deploy({"Resources": {"F": inline(role, **settings)}})
    name = aws.resources(stack)["F"]
    functions = aws.client("lambda")
    assert functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"] == 3
    configuration = functions.get_function_configuration(FunctionName=name)
    assert configuration["DeadLetterConfig"]["TargetArn"] == graveyard
    aws.deploy({"Resources": {"F": inline(role)}}, stack=stack)
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=name)
    assert "DeadLetterConfig" not in functions.get_function_configuration(FunctionName=name)


def test_upstream_still_drops_concurrency_and_dead_letter_queue(upstream: Aws) -> None:
    _, graveyard = upstream.queue()
    settings = {"ReservedConcurrentExecutions": 3, "DeadLetterConfig": {"TargetArn": graveyard}}
    stack = upstream.deploy({"Resources": {"F": inline(upstream.role(), **settings)}})
    name = upstream.resources(stack)["F"]
    functions = upstream.client("lambda")
    assert "ReservedConcurrentExecutions" not in functions.get_function_concurrency(FunctionName=name)
    assert "DeadLetterConfig" not in functions.get_function_configuration(FunctionName=name)


def test_an_alias_follows_new_code_with_its_layer_and_new_properties(aws: Aws) -> None:
    first, second = (s3_uri(url) for url in aws.upload(zipped(app=ECHO.format(1)), zipped(app=ECHO.format(2))))
    layers = [s3_uri(url) for url in aws.upload(zipped(one="x = 1"), zipped(one="x = 2"))]

    def template(code: str, layer: str, word: str) -> dict[str, Any]:
        return {
            "Transform": SAM,
            "Resources": {
                "L": {
                    "Type": "AWS::Serverless::LayerVersion",
                    "Properties": {"ContentUri": layer, "CompatibleRuntimes": [RUNTIME]},
                },
                "F": {
                    "Type": "AWS::Serverless::Function",
                    "Properties": {
                        "Runtime": RUNTIME,
                        "Handler": "app.handler",
                        "CodeUri": code,
                        "Layers": [{"Ref": "L"}],
                        "Environment": {"Variables": {"WORD": word}},
                        "AutoPublishAlias": "live",
                        "AutoPublishAliasAllProperties": True,
                    },
                },
            },
        }

    stack = aws.deploy(template(first, layers[0], "a"))
    name = aws.resources(stack)["F"]
    alias = f"{name}:live"
    functions = aws.client("lambda")
    assert answer(aws, alias) == 1
    assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "1"
    before = functions.get_function_configuration(FunctionName=alias)["Layers"][0]["Arn"]
    aws.deploy(template(second, layers[1], "a"), stack=stack)
    assert answer(aws, alias) == 2
    assert answer(aws, f"{name}:1") == 1
    assert functions.get_function_configuration(FunctionName=alias)["Layers"][0]["Arn"] != before
    assert functions.get_function_configuration(FunctionName=f"{name}:1")["Layers"][0]["Arn"] == before
    aws.deploy(template(second, layers[1], "b"), stack=stack)
    assert functions.get_alias(FunctionName=name, Name="live")["FunctionVersion"] == "3"


def test_layers_can_be_addressed_by_arn(aws: Aws) -> None:
    functions = aws.client("lambda")
    name = aws.name("layer")
    published = functions.publish_layer_version(LayerName=name, Content={"ZipFile": zipped(one="x = 1")})
    versions = functions.list_layer_versions(LayerName=published["LayerArn"])["LayerVersions"]
    assert [version["Version"] for version in versions] == [1]
    content = {"ZipFile": zipped(one="x = 2")}
    assert functions.publish_layer_version(LayerName=published["LayerArn"], Content=content)["Version"] == 2
    functions.delete_layer_version(LayerName=published["LayerArn"], VersionNumber=1)
    versions = functions.list_layer_versions(LayerName=name)["LayerVersions"]
    assert [version["Version"] for version in versions] == [2]


def test_upstream_still_does_not_find_layers_by_arn(upstream: Aws) -> None:
    functions = upstream.client("lambda")
    content = {"ZipFile": zipped(one="x = 1")}
    published = functions.publish_layer_version(LayerName=upstream.name("layer"), Content=content)
    assert functions.list_layer_versions(LayerName=published["LayerArn"])["LayerVersions"] == []


def test_a_managed_policy_decides_what_a_function_may_do(aws: Aws) -> None:
    url, arn = aws.queue()
    source = f"""
import boto3
def handler(event, context):
    boto3.client("sqs").send_message(QueueUrl={url!r}, MessageBody="x")
"""
    role = aws.role()
    function = aws.function(source, role=role)
    refused = answer(aws, function)
    assert "AccessDenied" in refused["errorMessage"]
    stack = aws.deploy(
        {
            "Resources": {
                "P": {
                    "Type": "AWS::IAM::ManagedPolicy",
                    "Properties": {
                        "PolicyDocument": allow("sqs:SendMessage", arn),
                        "Roles": [role.rsplit("/", 1)[-1]],
                    },
                }
            }
        }
    )
    assert answer(aws, function) is None
    aws.cloudformation.delete_stack(StackName=stack)
    until(lambda: "AccessDenied" in str(answer(aws, function)), "the refusal after the policy is gone")


def test_the_settings_for_failures_of_a_deployed_alias_send_to_a_queue(aws: Aws) -> None:
    failed, failed_arn = aws.queue()
    (url,) = aws.upload(zipped(app="def handler(event, context): raise RuntimeError('out of order')"))
    template = {
        "Transform": SAM,
        "Resources": {
            "T": {"Type": "AWS::SNS::Topic"},
            "F": {
                "Type": "AWS::Serverless::Function",
                "Properties": {
                    "Runtime": RUNTIME,
                    "Handler": "app.handler",
                    "CodeUri": s3_uri(url),
                    "Role": aws.role(allow("sqs:SendMessage", failed_arn)),
                    "AutoPublishAlias": "live",
                    "Events": {"Said": {"Type": "SNS", "Properties": {"Topic": {"Ref": "T"}}}},
                    "EventInvokeConfig": {
                        "MaximumRetryAttempts": 0,
                        "DestinationConfig": {"OnFailure": {"Type": "SQS", "Destination": failed_arn}},
                    },
                },
            },
        },
    }
    stack = aws.deploy(template)
    aws.sns.publish(TopicArn=aws.resources(stack)["T"], Message="hello")
    record = json.loads(aws.receive(failed)["Body"])
    assert record["requestContext"]["functionArn"].endswith(":live")
    assert record["requestPayload"]["Records"][0]["Sns"]["Message"] == "hello"


def test_the_worker_of_a_deleted_function_ends(aws: Aws) -> None:
    stack = aws.deploy({"Resources": {"F": inline(aws.role())}})
    name = aws.resources(stack)["F"]
    answer(aws, name)
    assert workers(aws, name)
    aws.cloudformation.delete_stack(StackName=stack)
    until(lambda: not workers(aws, name), "the end of the worker")


def test_upstream_still_keeps_the_worker_of_a_deleted_function(upstream: Aws) -> None:
    stack = upstream.deploy({"Resources": {"F": inline(upstream.role())}})
    name = upstream.resources(stack)["F"]
    stack_id = upstream.stack(stack)["StackId"]
    answer(upstream, name)
    upstream.cloudformation.delete_stack(StackName=stack)
    assert upstream.settled(stack_id) == "DELETE_COMPLETE"
    assert workers(upstream, name)


def fastest(aws: Aws) -> float:
    """The quickest of some warm invocations of a function that prints nothing."""
    name = aws.function("def handler(event, context): return 1")
    times = []
    for _ in range(8):
        began = time.perf_counter()
        answer(aws, name)
        times.append(time.perf_counter() - began)
    return min(times)


def test_a_burst_of_asynchronous_events_starts_a_few_workers_and_all_are_handled(aws: Aws, tmp_path: Path) -> None:
    source = f"""
import pathlib, time
def handler(event, context):
    time.sleep(0.1)
    pathlib.Path({str(tmp_path)!r}, str(event["number"])).touch()
"""
    function = aws.function(source)
    for number in range(30):
        aws.client("lambda").invoke(
            FunctionName=function, InvocationType="Event", Payload=json.dumps({"number": number})
        )
    most = 0

    def handled() -> bool:
        nonlocal most
        most = max(most, len(workers(aws, function)))
        return len(list(tmp_path.iterdir())) == 30

    until(handled, "30 events are handled", seconds=60)
    assert 1 <= most <= 4


def test_a_warm_silent_function_answers_at_once(aws: Aws) -> None:
    until(lambda: fastest(aws) < 0.045, "an invocation in under 45 ms")


def test_upstream_still_waits_for_output_that_never_comes(upstream: Aws) -> None:
    assert fastest(upstream) > 0.05


def test_every_line_belongs_to_its_invocation(aws: Aws) -> None:
    source = """
import sys, os
def handler(event, context):
    print("line", event)
    sys.stdout.write("unfinished")
"""
    name = aws.function(source)
    for number in range(3):
        answer(aws, name, number)
    events = aws.logs.filter_log_events(logGroupName=f"/aws/lambda/{name}")["events"]
    lines = [event["message"] for event in events if not event["message"].startswith(("START", "END", "REPORT"))]
    assert lines == ["line 0", "unfinished", "line 1", "unfinished", "line 2", "unfinished"]


def test_a_busy_engine_loses_no_line(aws: Aws) -> None:
    name = aws.function("def handler(event, context): print('line', event)")
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(lambda number: answer(aws, name, number), range(600)))
    pages = aws.logs.get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{name}")
    found = [event["message"] for page in pages for event in page["events"] if event["message"].startswith("line")]
    assert sorted(found) == sorted(f"line {number}" for number in range(600))


def test_code_is_unpacked_once_for_all_workers(aws: Aws) -> None:
    source = "import os\ndef handler(event, context): return os.stat(__file__).st_nlink"
    noise = "".join(f"{n * 2654435761 % 2**32:08x}" for n in range(40_000))
    package = zipped(app=source, noise=f"x = '{noise}'")
    role = aws.role()
    functions = aws.client("lambda")
    names = [aws.name("function") for _ in range(2)]
    for name in names:
        functions.create_function(
            FunctionName=name, Runtime=RUNTIME, Handler="app.handler", Role=role, Code={"ZipFile": package}
        )
    assert answer(aws, names[0]) == 2  # the cache and the worker
    assert answer(aws, names[1]) == 3


def test_what_a_function_is_never_given_is_refused(aws: Aws) -> None:
    source = """
import boto3
def handler(event, context):
    boto3.client("dynamodb").put_item(TableName="t", Item={"pk": {"S": "1"}})
"""
    assert "AccessDenied" in answer(aws, aws.function(source))["errorMessage"]


def test_an_event_may_have_keys_that_are_parameters_of_the_call(aws: Aws) -> None:
    name = aws.function("def handler(event, context): return event")
    event = {"InvocationType": "by hand", "Qualifier": "not a version!", "FunctionName": ""}
    answer = aws.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
    assert json.loads(answer["Payload"].read()) == event
