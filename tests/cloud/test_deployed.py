"""The whole application on AWS: it runs there as it runs here."""

import json
import time
from typing import Any

import pytest

from fanout.contracts.application_logs import LogEntry
from fanout.event import Event
from tests.cloud.stack import Stack, without


@pytest.mark.cloud(
    "the runtime python3.13 and the processor arm64",
    here="functions run on the engine's own interpreter and processor",
    instead="`tests/template/test_layer_build.py` looks into the layer that goes to AWS",
)
def test_every_function_is_active_on_its_runtime_and_processor(stack: Stack) -> None:
    functions = stack.client("lambda")
    wanted = (stack.parameters["Runtime"], [stack.parameters["Architecture"]], "Active", "Successful")
    for name, subscriber in stack.topology.subscribers.items():
        found = functions.get_function_configuration(FunctionName=subscriber.function_name, Qualifier="live")
        shown = (found["Runtime"], found["Architectures"], found["State"], found["LastUpdateStatus"])
        assert shown == wanted, name


@pytest.mark.cloud("the runtime python3.13 and the processor arm64")
@pytest.mark.cloud(
    "that what a template names exists: code in S3, the function of an alias, the topic of a subscription",
    here="not looked at",
    instead="SAM CLI's own `validate`; AWS fails the deployment",
)
def test_the_demo_finds_every_effect(stack: Stack) -> None:
    """Every ordinary sample of every use case, every subscriber, every effect in its store."""
    report: dict[str, Any] = json.loads(stack.fanout("demo", "--json", "-", check=None).stdout)
    wrong = [each for each in report["deliveries"] if each["outcome"] != "processed" or not each["effect"]]
    assert report["deliveries"]
    assert [each for each in wrong if each["subscriber"] not in without()] == []


@pytest.mark.cloud(
    "batches of more than ten records",
    here="the archive and the aggregates take ten at a time",
    instead="unit tests with larger batches",
)
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
