"""Pausing stops every delivery to a subscriber and no other; resuming restores everything."""

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import boto3
import pytest

from fanout.testing import REGION
from fanout_cli.commands import pause, resume
from fanout_cli.stack.subscriber_control import SubscriberControl
from fanout_cli.stack.target import Target
from fanout_cli.stack.topology import Subscriber, Subscription, Topic, Topology
from tests.unit.cli.conftest import TOPIC, Result

Run = Callable[..., Result]
INBOX, DIRECT = "team_events/team_a", "team_events/broadcast"


class Account:
    """Two functions with their inboxes: one reads its inbox, the other is invoked by SNS too."""

    def __init__(self) -> None:
        self.functions: Any = boto3.client("lambda", region_name=REGION)
        self.sqs: Any = boto3.client("sqs", region_name=REGION)
        role = boto3.client("iam", region_name=REGION).create_role(RoleName="role", AssumeRolePolicyDocument="{}")
        package = io.BytesIO()
        with zipfile.ZipFile(package, "w") as archive:
            archive.writestr("team.py", "")
        self.mappings: dict[str, str] = {}
        subscribers, subscriptions = {}, []
        for name in (INBOX, DIRECT):
            function = name.rpartition("/")[2]
            self.functions.create_function(
                FunctionName=function, Runtime="python3.13", Role=role["Role"]["Arn"], Handler="team.handler",
                Code={"ZipFile": package.getvalue()}, Publish=True,
            )  # fmt: skip
            self.functions.create_alias(FunctionName=function, Name="live", FunctionVersion="1")
            inbox, dead = (self.sqs.create_queue(QueueName=f"{function}{part}")["QueueUrl"] for part in ("", "-dead"))
            mapping = self.functions.create_event_source_mapping(
                FunctionName=f"{function}:live", EventSourceArn=self.arn(inbox)
            )
            self.mappings[name] = mapping["UUID"]
            subscribers[name] = Subscriber(name, function, "logs", inbox, dead, {})
            endpoint = f"arn:aws:lambda:{REGION}:123456789012:function:{function}:live" if name == DIRECT else function
            protocol = "lambda" if name == DIRECT else "sqs"
            subscriptions.append(
                Subscription(f"{TOPIC}:{function}", TOPIC, protocol, endpoint, False, None, "MessageBody", name)
            )
        self.dead_letters = self.arn(subscribers[DIRECT].dead_letter_url)
        self.inbox = self.arn(subscribers[DIRECT].inbox_url)
        self.functions.put_function_event_invoke_config(
            FunctionName="broadcast",
            Qualifier="live",
            MaximumRetryAttempts=1,
            MaximumEventAgeInSeconds=3600,
            DestinationConfig={"OnFailure": {"Destination": self.dead_letters}},
        )
        # moto puts new settings behind the old ones and answers with the first; AWS replaces them.
        self.functions.meta.events.register("before-call.lambda.PutFunctionEventInvokeConfig", self.forget)
        self.topology = Topology("fanout", (Topic("Team", TOPIC, "team_events", tuple(subscriptions)),), subscribers)

    def arn(self, url: str) -> str:
        found = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return str(found["Attributes"]["QueueArn"])

    def forget(self, **_: Any) -> None:
        """Delete the settings of asynchronous invocation."""
        self.functions.delete_function_event_invoke_config(FunctionName="broadcast", Qualifier="live")

    def client(self, service: str) -> Any:
        return {"lambda": self.functions, "sqs": self.sqs}[service]

    def control(self, name: str) -> SubscriberControl:
        return SubscriberControl(self.client, self.topology, self.topology.subscribers[name])

    def snapshot(self) -> dict[str, Any]:
        """Everything that a pause could change, of both functions."""
        settings = self.functions.get_function_event_invoke_config(FunctionName="broadcast", Qualifier="live")
        return {
            "mappings": {
                name: self.functions.get_event_source_mapping(UUID=uuid)["State"]
                for name, uuid in self.mappings.items()
            },
            "concurrency": [
                self.functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
                for name in ("team_a", "broadcast")
            ],
            "settings": {name: settings.get(name) for name in ("MaximumRetryAttempts", "MaximumEventAgeInSeconds")},
            "on_failure": settings["DestinationConfig"]["OnFailure"],
            "tags": self.functions.list_tags(
                Resource=f"arn:aws:lambda:{REGION}:123456789012:function:broadcast"
            )["Tags"],
        }  # fmt: skip


@pytest.fixture
def account(cloud: None, monkeypatch: pytest.MonkeyPatch) -> Account:
    made = Account()

    class Deployed(Target):
        def topology(self) -> Any:
            return made.topology

        def client(self, service: str) -> Any:
            return made.client(service)

    for command in (pause, resume):
        monkeypatch.setattr(command, "resolve", lambda *_: Deployed("fanout", None, None))  # type: ignore[arg-type]
    return made


def test_an_inbox_is_paused_by_its_mapping_alone(account: Account) -> None:
    before = account.snapshot()
    account.control(INBOX).pause()
    after = account.snapshot()
    assert after["mappings"] == {INBOX: "Disabled", DIRECT: "Enabled"}
    assert {**after, "mappings": None} == {**before, "mappings": None}
    assert account.control(INBOX).state().word == "paused"
    assert account.control(DIRECT).state().word == "running"


@pytest.mark.guarantee("redrive/paused-direct-subscriber")
def test_what_sns_would_invoke_waits_in_the_inbox_while_a_direct_subscriber_is_paused(account: Account) -> None:
    before = account.snapshot()
    account.control(DIRECT).pause()
    paused = account.snapshot()
    assert paused["mappings"] == {INBOX: "Enabled", DIRECT: "Disabled"}
    assert paused["concurrency"] == [None, 0]
    assert paused["on_failure"] == {"Destination": account.inbox}
    assert paused["settings"] == before["settings"] == {"MaximumRetryAttempts": 1, "MaximumEventAgeInSeconds": 3600}
    account.control(DIRECT).resume()
    assert account.snapshot() == before


def test_the_destination_is_the_inbox_before_the_first_event_can_be_refused(account: Account) -> None:
    calls: list[str] = []
    account.functions.meta.events.register("before-call.lambda", lambda model, **_: calls.append(model.name))
    account.control(DIRECT).pause()
    changes = [each for each in calls if not each.startswith(("Get", "List", "DeleteFunctionEvent"))]
    assert changes == [
        "TagResource", "PutFunctionEventInvokeConfig", "UpdateEventSourceMapping", "PutFunctionConcurrency",
    ]  # fmt: skip
    calls.clear()
    account.control(DIRECT).resume()
    changes = [each for each in calls if not each.startswith(("Get", "List", "DeleteFunctionEvent"))]
    assert changes == [
        "DeleteFunctionConcurrency", "PutFunctionEventInvokeConfig", "UpdateEventSourceMapping", "UntagResource",
    ]  # fmt: skip


def test_a_functions_own_concurrency_comes_back(account: Account) -> None:
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=7)
    before = account.snapshot()
    account.control(DIRECT).pause()
    account.control(DIRECT).resume()
    assert account.snapshot() == before


def test_what_an_operator_has_reserved_stands_where_only_the_mapping_was_off(account: Account) -> None:
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=7)
    before = account.snapshot()
    account.functions.update_event_source_mapping(UUID=account.mappings[DIRECT], Enabled=False)
    account.control(DIRECT).resume()
    assert account.snapshot() == before


def test_what_an_operator_has_changed_during_a_pause_stands(account: Account) -> None:
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=7)
    before = account.snapshot()
    account.control(DIRECT).pause()
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=3)
    account.control(DIRECT).resume()
    assert account.snapshot() == {**before, "concurrency": [None, 3]}


@pytest.mark.parametrize(
    "operation",
    ["PutFunctionConcurrency", "PutFunctionEventInvokeConfig", "UpdateEventSourceMapping", "UntagResource"],
)
def test_a_resuming_that_broke_off_anywhere_is_finished_with_what_was_before(account: Account, operation: str) -> None:
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=7)
    before = account.snapshot()
    account.control(DIRECT).pause()

    def crash(**_: Any) -> None:
        raise KeyboardInterrupt

    account.functions.meta.events.register_first(f"before-call.lambda.{operation}", crash)
    with pytest.raises(KeyboardInterrupt):
        account.control(DIRECT).resume()
    account.functions.meta.events.unregister(f"before-call.lambda.{operation}", crash)
    account.control(DIRECT).resume()
    assert account.snapshot() == before


def test_what_a_pause_keeps_is_of_its_own_time_and_not_of_an_earlier_one(account: Account) -> None:
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=7)
    account.control(DIRECT).pause()
    tags = account.snapshot()["tags"]
    account.control(DIRECT).resume()
    arn = account.functions.get_function_configuration(FunctionName="broadcast")["FunctionArn"]
    account.functions.tag_resource(Resource=arn, Tags=tags)  # as if they had outlived the resuming
    account.functions.put_function_concurrency(FunctionName="broadcast", ReservedConcurrentExecutions=3)
    account.control(DIRECT).pause()
    account.control(DIRECT).resume()
    assert account.snapshot()["concurrency"] == [None, 3]


@pytest.mark.parametrize(
    "operation", ["PutFunctionEventInvokeConfig", "UpdateEventSourceMapping", "PutFunctionConcurrency"]
)
def test_a_pause_that_broke_off_anywhere_is_finished_or_undone(account: Account, operation: str) -> None:
    before = account.snapshot()

    def crash(**_: Any) -> None:
        raise KeyboardInterrupt

    for finish in ("pause", "resume"):
        account.functions.meta.events.register_first(f"before-call.lambda.{operation}", crash)
        with pytest.raises(KeyboardInterrupt):
            account.control(DIRECT).pause()
        account.functions.meta.events.unregister(f"before-call.lambda.{operation}", crash)
        assert account.control(DIRECT).state().paused is False
        getattr(account.control(DIRECT), finish)()
        assert account.control(DIRECT).state().paused is (finish == "pause")
        account.control(DIRECT).resume()
        assert account.snapshot() == before


@pytest.mark.parametrize("name", [INBOX, DIRECT])
def test_the_commands_report_the_state_and_are_idempotent(account: Account, run: Run, name: str) -> None:
    before = account.snapshot()
    for command, state in (("pause", "paused"), ("resume", "running")):
        for changed in (True, False):
            result = run(command, name, "--json")
            assert result.exit_code == 0
            assert json.loads(result.out) == {"subscriber": name, "state": state, "changed": changed}
    assert account.snapshot() == before
    assert run("resume", name).out == f"{name} is not paused.\n"
    assert run("pause", name).out == f"{name} is paused.\n"
    assert run("pause", name).out == f"{name} is already paused.\n"
    assert "up to 4 days" in run("pause", name).err
    assert run("resume", name).out == f"{name} is resumed.\n"


@pytest.mark.parametrize("command", ["pause", "resume"])
def test_an_unknown_subscriber_is_wrong_usage(account: Account, run: Run, command: str) -> None:
    result = run(command, "team_events/broadcasts")
    assert result.exit_code == 2
    assert "did you mean team_events/broadcast?" in result.err


def test_a_function_without_a_mapping_is_told_of(account: Account, run: Run) -> None:
    account.functions.delete_event_source_mapping(UUID=account.mappings[INBOX])
    result = run("pause", INBOX)
    assert result.exit_code == 1
    assert "nothing reads its inbox" in result.err
