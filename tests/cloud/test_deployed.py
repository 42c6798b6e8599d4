"""The whole application on AWS: it runs there as it runs here."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from tests.cloud.stack import SmallStack, Stack, code_of, without

TEMPLATES = Path(__file__).parent / "templates"
# What a published version freezes. https://docs.aws.amazon.com/lambda/latest/dg/configuration-versions.html
FROZEN = ("CodeSha256", "Runtime", "Architectures", "Handler", "Timeout", "MemorySize", "Environment", "TracingConfig")


@pytest.mark.cloud("nested-stacks")
@pytest.mark.cloud("generated-names")
def test_every_resource_of_every_nested_stack_is_complete(stack: Stack) -> None:
    complete = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
    assert len(stack.of_type("AWS::CloudFormation::Stack")) > len(stack.topology.use_cases)
    assert [each for each in stack.resources if each["ResourceStatus"] not in complete] == []


@pytest.mark.cloud("alias")
def test_the_alias_of_every_function_runs_the_latest_deployment(stack: Stack) -> None:
    functions, aliases = stack.client("lambda"), stack.of_type("AWS::Lambda::Alias")
    assert len(aliases) >= len(stack.topology.subscribers)
    stale = {}
    for alias in aliases:
        function, _, qualifier = alias.rpartition(":")
        live = functions.get_function_configuration(FunctionName=function, Qualifier=qualifier)
        latest = functions.get_function_configuration(FunctionName=function)
        layers = [[each["Arn"] for each in found.get("Layers", [])] for found in (live, latest)]
        different = [name for name in FROZEN if live.get(name) != latest.get(name)]
        if different or layers[0] != layers[1]:
            stale[function] = [*different, *layers]
    assert stale == {}


@pytest.mark.cloud("rolled-back-version")
def test_a_version_can_be_deployed_after_an_update_with_it_was_rolled_back(stack: Stack) -> None:
    first = (TEMPLATES / "published_function.yaml").read_text("utf-8")
    first = first.replace("python3.13", stack.parameters["Runtime"])
    second = first.replace('"first"', '"second"')

    with SmallStack(stack, "fanout-cloud-test-version") as small:
        assert small.deploy(first) == "CREATE_COMPLETE"
        assert small.deploy(second, Fails="true") == "UPDATE_ROLLBACK_COMPLETE"
        assert small.deploy(second, Fails="false") == "UPDATE_COMPLETE"
        answer = stack.client("lambda").invoke(FunctionName=small.outputs["FunctionName"], Qualifier="live")
        assert json.load(answer["Payload"]) == "second"


@pytest.mark.cloud("failed-creation")
def test_a_table_of_a_stack_that_was_never_created_is_not_retained(stack: Stack) -> None:
    template = (TEMPLATES / "retained_except_on_create.yaml").read_text("utf-8")
    with SmallStack(stack, "fanout-cloud-test-creation") as small:
        assert small.deploy(template) == "ROLLBACK_COMPLETE"
        table = small.physical_id("Table")
        assert code_of(stack.client("dynamodb").describe_table, TableName=table) == "ResourceNotFoundException"


@pytest.mark.cloud("mail-configuration")
def test_the_configuration_sets_of_ses_exist_and_one_announces_bounces(stack: Stack) -> None:
    ses, names = stack.client("sesv2"), stack.of_type("AWS::SES::ConfigurationSet")
    assert names
    destinations = [
        each
        for name in names
        for each in ses.get_configuration_set_event_destinations(ConfigurationSetName=name)["EventDestinations"]
    ]
    topic = stack.of("user_registration", "MailFeedbackArn")
    [destination] = [each for each in destinations if each.get("SnsDestination", {}).get("TopicArn") == topic]
    assert destination["Enabled"]
    assert set(destination["MatchingEventTypes"]) == {"BOUNCE", "COMPLAINT"}


@pytest.mark.cloud("command-rates")
def test_status_reads_the_whole_stack_three_times_in_a_row(stack: Stack) -> None:
    for _ in range(3):
        found = json.loads(stack.fanout("status", "--json").stdout)
        assert {each["use_case"] for each in found["use_cases"]} == set(stack.topology.use_cases)


@pytest.mark.cloud("runtime")
def test_every_function_is_active_on_its_runtime_and_processor(stack: Stack) -> None:
    functions = stack.client("lambda")
    wanted = (stack.parameters["Runtime"], [stack.parameters["Architecture"]], "Active", "Successful")
    for name, subscriber in stack.topology.subscribers.items():
        found = functions.get_function_configuration(FunctionName=subscriber.function_name, Qualifier="live")
        shown = (found["Runtime"], found["Architectures"], found["State"], found["LastUpdateStatus"])
        assert shown == wanted, name


@pytest.mark.cloud("runtime")
@pytest.mark.cloud("existence")
def test_the_demo_finds_every_effect(stack: Stack) -> None:
    """Every ordinary sample of every use case, every subscriber, every effect in its store."""
    report: dict[str, Any] = json.loads(stack.fanout("demo", "--json", "-", check=None).stdout)
    wrong = [each for each in report["deliveries"] if each["outcome"] != "processed" or not each["effect"]]
    assert report["deliveries"]
    assert [each for each in wrong if each["subscriber"] not in without()] == []


@pytest.mark.cloud("large-batches")
def test_the_archive_gets_hundreds_of_entries_in_large_batches(stack: Stack) -> None:
    entries = [
        Event.new(LogEntry(service="cloud-test", level="INFO", message=f"line {number}"), source="urn:fanout:tests")
        for number in range(300)
    ]
    ids = {entry.id for entry in entries}
    began = int(time.time() * 1000)
    stack.publish("ApplicationLogs", entries)
    done = stack.eventually(
        lambda: len({each.event_id for each in stack.receipts("application_logs/archive", sorted(ids))}) == len(ids),
        "a receipt for each entry",
        minutes=6,
    )
    assert done
    pages = (
        stack.client("logs")
        .get_paginator("filter_log_events")
        .paginate(
            logGroupName=stack.subscriber("application_logs/archive").log_group,
            filterPattern='"received" "records"',
            startTime=began,
        )
    )
    lines = [json.loads(each["message"]) for page in pages for each in page["events"] if each["message"][:1] == "{"]
    batches = [
        len(line["records"])
        for line in lines
        if line.get("message") == "received" and ids & {record["event_id"] for record in line["records"]}
    ]
    assert max(batches) > 10
