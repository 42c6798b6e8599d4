"""Discovering what is deployed: root or single stack, subscribers, subscriptions with their filters."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from fanout_cli.errors import UserError
from fanout_cli.stack.topology import Topology, discover, environments

PREFIX = "arn:aws:sns:eu-north-1:123456789012:"


class Account:
    """CloudFormation, Lambda and SNS of an account, as far as discovery asks them."""

    def __init__(self) -> None:
        self.stacks: dict[str, dict[str, Any]] = {}
        self.functions: dict[str, dict[str, Any]] = {}
        self.subscriptions: dict[str, list[dict[str, Any]]] = {}
        self.attributes: dict[str, dict[str, str]] = {}

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

    # What boto3's clients offer.

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
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
                resources = account.stacks[request["StackName"]]["resources"]
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

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return self.functions[FunctionName]

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


def found(account: Account, stack: str = "fanout") -> Topology:
    return discover(account.client, stack)


def test_subscribers_are_the_functions_that_say_so(account: Account) -> None:
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


def test_an_address_that_has_not_confirmed_yet_is_no_obstacle(account: Account) -> None:
    account.subscriptions[PREFIX + "logs"].append(
        {"SubscriptionArn": "PendingConfirmation", "Protocol": "email", "Endpoint": "new@example.com"}
    )
    assert len(found(account).topics[0].subscriptions) == 5


def test_a_use_case_that_was_deployed_alone_looks_the_same(account: Account) -> None:
    root, alone = found(account), found(account, "logs-stack")
    assert (alone.topics, alone.subscribers) == (root.topics, root.subscribers)


def test_a_stack_that_is_not_there_is_named(account: Account) -> None:
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


def test_a_stack_without_subscribers_is_none_of_ours(account: Account) -> None:
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
