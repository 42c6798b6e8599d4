"""Discovering what is deployed: root or single stack, subscribers, subscriptions with their filters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout_cli.errors import UserError
from fanout_cli.stack.topology import Topology, discover, environments

PREFIX = "arn:aws:sns:eu-north-1:123456789012:"


class Account:
    """CloudFormation, Lambda and SNS of an account, as far as discovery uses them."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.functions: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, list[dict[str, Any]]] = {}
        self.attributes: dict[str, dict[str, str]] = {}
        self.updated: dict[str, int] = {}
        self.in_progress: set[str] = set()
        self.reads: list[str] = []

    def client(self, _: str) -> "Account":
        return self

    def add_stack(self, name: str, resources: list[tuple[str, str, str]], **outputs: str) -> None:
        self.stacks[name] = {"resources": resources, "outputs": outputs}

    def add_function(self, name: str, subscriber: str | None = None, **logging: str) -> None:
        variables = {"TABLE": "t"}
        if subscriber:
            variables |= {
                "FANOUT_SUBSCRIBER": subscriber,
                "FANOUT_QUEUE_URL": f"https://sqs.eu-north-1.amazonaws.com/123456789012/inbox-{name}",
                "FANOUT_DEAD_LETTER_URL": f"https://sqs.eu-north-1.amazonaws.com/123456789012/dead-{name}",
            }
        self.functions[name] = {"FunctionName": name, "Environment": {"Variables": variables}}
        if logging:
            self.functions[name]["LoggingConfig"] = logging

    def subscribe(self, topic: str, protocol: str, endpoint: str, **attributes: str) -> None:
        arn = f"{PREFIX}{topic}:{len(self.attributes)}"
        self.subscriptions.setdefault(PREFIX + topic, []).append(
            {"SubscriptionArn": arn, "Protocol": protocol, "Endpoint": endpoint}
        )
        self.attributes[arn] = attributes

    def update(self, name: str) -> None:
        self.updated[name] = self.updated.get(name, 0) + 1

    def settled(self) -> list[str]:
        return [name for name in self.stacks if name not in self.in_progress]

    def summary(self, name: str) -> dict[str, Any]:
        at = {"LastUpdatedTime": self.updated[name]} if name in self.updated else {}
        return {"StackId": f"id-of-{name}", "StackName": name, "CreationTime": 0, "StackStatus": "UPDATE_COMPLETE"} | at

    # What boto3's clients offer.

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        StackName = StackName.removeprefix("id-of-")  # noqa: N806 - boto3's name
        self.reads.append(StackName)
        if StackName not in self.stacks:
            message = f"Stack with id {StackName} does not exist"
            raise ClientError({"Error": {"Code": "ValidationError", "Message": message}}, "DescribeStacks")
        outputs = [{"OutputKey": key, "OutputValue": value} for key, value in self.stacks[StackName]["outputs"].items()]
        return {"Stacks": [{"StackId": f"id-of-{StackName}", "Outputs": outputs}]}

    def get_paginator(self, operation: str) -> Any:
        account = self

        class Paginator:
            def paginate(self, **request: str) -> list[dict[str, Any]]:
                if operation == "list_subscriptions_by_topic":
                    return [{"Subscriptions": account.subscriptions.get(request["TopicArn"], [])}]
                if operation == "list_stacks":
                    return [{"StackSummaries": [account.summary(name)]} for name in account.settled()]
                if operation == "list_functions":
                    return [{"Functions": [each]} for each in account.functions.values()]
                resources = account.stacks[request["StackName"].removeprefix("id-of-")]["resources"]
                return [
                    {
                        "StackResourceSummaries": [
                            {
                                "ResourceType": kind,
                                "LogicalResourceId": logical_id,
                                "PhysicalResourceId": physical_id,
                                "ResourceStatus": "DELETE_COMPLETE" if logical_id == "Gone" else "CREATE_COMPLETE",
                            }
                            for kind, logical_id, physical_id in resources
                        ]
                    }
                ]

        return Paginator()

    def get_subscription_attributes(self, SubscriptionArn: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"Attributes": self.attributes[SubscriptionArn]}


FUNCTION, TOPIC, STACK = "AWS::Lambda::Function", "AWS::SNS::Topic", "AWS::CloudFormation::Stack"


@pytest.fixture
def account() -> Account:
    """A root with one use case of two subscribers, and everything that must not be taken for a subscriber."""
    made = Account()
    made.add_stack("fanout", [(STACK, "Logs", "logs-stack"), (TOPIC, "OperatorTopic", PREFIX + "operator")])
    made.add_stack(
        "logs-stack",
        [
            (STACK, "LogsTopic", "topic-stack"),
            (FUNCTION, "MonitorFunction", "monitor"),
            (FUNCTION, "ArchiveFunction", "archive"),
            (FUNCTION, "SweepFunction", "sweep"),
            (FUNCTION, "Gone", "gone"),
            (STACK, "MonitorSubscriber", "subscriber-stack"),
        ],
        ApplicationLogsArn=PREFIX + "logs",
    )
    made.add_stack("topic-stack", [(TOPIC, "Topic", PREFIX + "logs")])
    made.add_stack("subscriber-stack", [])
    made.add_function("monitor", "application_logs/monitor", LogGroup="shared-group")
    made.add_function("archive", "application_logs/archive")
    made.add_function("sweep")
    made.subscribe(
        "logs",
        "sqs",
        "arn:aws:sqs:eu-north-1:123456789012:inbox-monitor",
        RawMessageDelivery="true",
        FilterPolicy='{"data":{"level":["ERROR"]}}',
        FilterPolicyScope="MessageBody",
    )
    made.subscribe("logs", "lambda", "arn:aws:lambda:eu-north-1:123456789012:function:archive:live")
    made.subscribe("logs", "email", "operator@example.com")
    made.subscribe("logs", "sqs", "arn:aws:sqs:eu-north-1:123456789012:unrouted")
    return made


def found(account: Account, stack: str = "fanout", folder: Path | None = None) -> Topology:
    return discover(account.client, stack, folder)


def test_subscribers_are_the_functions_whose_environment_names_one(account: Account) -> None:
    subscribers = found(account).subscribers
    assert sorted(subscribers) == ["application_logs/archive", "application_logs/monitor"]
    assert subscribers["application_logs/monitor"].log_group == "shared-group"
    assert subscribers["application_logs/archive"].log_group == "/aws/lambda/archive"
    assert subscribers["application_logs/monitor"].dead_letter_url.endswith("/dead-monitor")


def test_a_topic_has_the_name_of_its_output_and_the_roots_own_topics_are_left_out(account: Account) -> None:
    assert [(topic.name, topic.arn, topic.use_case) for topic in found(account).topics] == [
        ("ApplicationLogs", PREFIX + "logs", "application_logs")
    ]


def test_a_topic_without_an_output_has_the_name_of_its_nested_stack(account: Account) -> None:
    account.stacks["logs-stack"]["outputs"] = {}
    assert [topic.name for topic in found(account).topics] == ["LogsTopic"]


def test_subscriptions_lead_to_their_subscribers_whether_by_queue_or_by_alias(account: Account) -> None:
    subscriptions = found(account).topics[0].subscriptions
    assert [(each.protocol, each.subscriber, each.raw) for each in subscriptions] == [
        ("sqs", "application_logs/monitor", True),
        ("lambda", "application_logs/archive", False),
        ("email", None, False),
        ("sqs", None, False),
    ]
    assert subscriptions[0].filter_policy == {"data": {"level": ["ERROR"]}}
    assert subscriptions[0].filter_scope == "MessageBody"
    assert subscriptions[1].filter_policy is None


def test_an_unconfirmed_address_has_no_attributes_to_read(account: Account) -> None:
    account.subscriptions[PREFIX + "logs"].append(
        {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "new@example.com"}
    )
    assert len(found(account).topics[0].subscriptions) == 5


def test_a_use_case_that_was_deployed_alone_has_the_same_topology(account: Account) -> None:
    root, alone = found(account), found(account, "logs-stack")
    assert (alone.topics, alone.subscribers) == (root.topics, root.subscribers)


def test_a_missing_stack_is_named(account: Account) -> None:
    with pytest.raises(UserError, match="there is no stack fanout-prod") as failure:
        found(account, "fanout-prod")
    assert "--stack-name" in failure.value.next_step


def test_environments_have_the_path_of_their_function_in_the_nested_stacks(account: Account) -> None:
    assert sorted(environments(account.client, "fanout")) == [
        "Logs/ArchiveFunction",
        "Logs/MonitorFunction",
        "Logs/SweepFunction",
    ]
    assert environments(account.client, "logs-stack")["SweepFunction"] == {"TABLE": "t"}


@pytest.mark.parametrize("stack", ["inbox-stack", "fanout-prod"])
def test_there_are_no_environments_without_a_function(account: Account, stack: str) -> None:
    with pytest.raises(UserError, match=f"no functions|no stack {stack}"):
        environments(account.client, stack)


def test_a_stack_without_subscribers_is_refused(account: Account) -> None:
    with pytest.raises(UserError, match="stack subscriber-stack has no subscriber"):
        found(account, "subscriber-stack")


def test_a_refusal_by_aws_is_not_taken_for_a_missing_stack(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: str) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "DescribeStacks")

    monkeypatch.setattr(account, "describe_stacks", refuse)
    with pytest.raises(ClientError, match="not authorized"):
        found(account)


def test_topics_are_found_by_name_and_by_arn(account: Account) -> None:
    topology = found(account)
    topic = topology.topics[0]
    assert topology.topic(name="ApplicationLogs") is topic
    assert topology.topic(arn=PREFIX + "logs") is topic
    assert topology.topic(name="Other") is None
    assert topology.topics_of("application_logs/archive") == [topic]
    assert topology.topics_of("application_logs/sweep") == []


def test_a_function_that_was_deleted_by_hand_is_reported(account: Account) -> None:
    del account.functions["archive"]
    with pytest.raises(UserError, match="function archive of stack fanout does not exist"):
        found(account)


# ------------------------------------------------------------------------------------------- results kept between calls
@pytest.fixture
def kept(account: Account, tmp_path: Path) -> Path:
    """A folder that holds the stacks of the account as they are."""
    folder = tmp_path / "stacks"
    found(account, folder=folder)
    account.reads.clear()
    return folder


def reads_everything(account: Account, folder: Path) -> bool:
    account.reads.clear()
    assert found(account, folder=folder) == found(account)
    return account.reads.count("fanout") == 2


def test_unchanged_stacks_are_not_read_again(account: Account, kept: Path) -> None:
    first = found(account, folder=kept)
    assert account.reads == []
    assert first == found(account)


def test_a_stack_is_found_in_the_folder_by_its_arn_too(account: Account, kept: Path) -> None:
    assert found(account, "id-of-fanout", kept).topics == found(account).topics
    assert account.reads.count("fanout") == 1


@pytest.mark.parametrize("name", ["fanout", "logs-stack", "subscriber-stack"])
def test_an_update_of_any_stack_of_the_tree_is_seen(account: Account, kept: Path, name: str) -> None:
    account.stacks["logs-stack"]["resources"].remove((FUNCTION, "ArchiveFunction", "archive"))
    account.update(name)
    assert "application_logs/archive" not in found(account, folder=kept).subscribers
    assert not reads_everything(account, kept), "the new result is kept"


@pytest.mark.parametrize("name", ["fanout", "logs-stack"])
def test_nothing_is_kept_or_used_while_an_operation_runs(account: Account, kept: Path, name: str) -> None:
    account.in_progress.add(name)
    assert reads_everything(account, kept)
    account.in_progress.clear()
    assert not reads_everything(account, kept)


def test_what_was_read_while_an_operation_began_is_not_used_after_it(account: Account, tmp_path: Path) -> None:
    # The versions are read first, then the stack is updated, then its resources are read.
    original = account.describe_stacks

    def describe(StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        if not account.updated:
            account.update("fanout")
        return original(StackName)

    account.describe_stacks = describe  # type: ignore[method-assign]
    found(account, folder=tmp_path)
    assert reads_everything(account, tmp_path)
    assert not reads_everything(account, tmp_path)


def test_edits_outside_of_the_stack_are_seen(account: Account, kept: Path) -> None:
    topology = found(account, folder=kept)
    arn = topology.topics[0].subscriptions[0].arn
    account.attributes[arn]["FilterPolicy"] = '{"data":{"level":["FATAL"]}}'
    account.functions["archive"]["Environment"]["Variables"]["TABLE"] = "another"
    account.subscribe("logs", "email", "another@example.com")
    edited = found(account, folder=kept)
    assert account.reads == []
    assert edited.topics[0].subscriptions[0].filter_policy == {"data": {"level": ["FATAL"]}}
    assert edited.subscribers["application_logs/archive"].environment["TABLE"] == "another"
    assert edited.topics[0].subscriptions[-1].endpoint == "another@example.com"


def test_subscriptions_are_read_only_if_they_are_used(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "get_subscription_attributes", None)
    topology = found(account)
    assert topology.topic(name="ApplicationLogs")
    with pytest.raises(TypeError):
        topology.topics_of("application_logs/archive")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: b"\xff",
        lambda content: content[:-1],
        lambda content: b"[" * 100_000,
        lambda content: b"{}",
        lambda content: content.replace(b'"format":1', b'"format":0'),
        lambda content: content.replace(b'"functions"', b'"function"'),
        lambda content: b'{"format":1,"versions":{},"stacks":[]}',
    ],
    ids=["empty", "not UTF-8", "cut off", "nested", "no fields", "another format", "another field", "no stacks"],
)
def test_a_file_that_is_damaged_or_of_another_format_is_ignored(
    account: Account, kept: Path, damage: Callable[[bytes], bytes]
) -> None:
    (file,) = kept.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert reads_everything(account, kept)
    assert not reads_everything(account, kept), "the file is replaced"


def test_a_folder_that_cannot_be_written_does_not_fail_the_command(account: Account, tmp_path: Path) -> None:
    (tmp_path / "stacks").write_text("a file")
    assert reads_everything(account, tmp_path / "stacks")


def test_without_permission_to_list_stacks_everything_is_read(
    account: Account, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> list[str]:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "ListStacks")

    monkeypatch.setattr(account, "settled", refuse)
    assert reads_everything(account, kept)
