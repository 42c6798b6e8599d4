"""SES: sending, and the events about the outcome of a mail."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from engine_tests.aws import ACCOUNT, REGION, Aws, allow
from local_engine import mailbox, process

SENDER = "news@example.com"
# As in SES's sandbox, a role needs the recipient's identity too.
RECIPIENT = f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/ana@example.com"


@pytest.fixture(scope="module")
def mail(aws: Aws) -> dict[str, str]:
    """A configuration set whose bounces and complaints go to a queue, all from one template."""
    return events_to_a_queue(aws)


def events_to_a_queue(aws: Aws) -> dict[str, str]:
    template: dict[str, Any] = {
        "Resources": {
            "Sender": {"Type": "AWS::SES::EmailIdentity", "Properties": {"EmailIdentity": SENDER}},
            "Set": {"Type": "AWS::SES::ConfigurationSet"},
            "Topic": {"Type": "AWS::SNS::Topic"},
            "TopicPolicy": {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {
                    "Topics": [{"Ref": "Topic"}],
                    "PolicyDocument": {
                        "Version": "2012-10-17",
                        "Statement": [
                            {
                                "Effect": "Allow",
                                "Principal": {"Service": "ses.amazonaws.com"},
                                "Action": "sns:Publish",
                                "Resource": {"Ref": "Topic"},
                                "Condition": {"StringEquals": {"AWS:SourceAccount": {"Ref": "AWS::AccountId"}}},
                            }
                        ],
                    },
                },
            },
            "Destination": {
                "Type": "AWS::SES::ConfigurationSetEventDestination",
                "Properties": {
                    "ConfigurationSetName": {"Ref": "Set"},
                    "EventDestination": {
                        "Enabled": True,
                        "MatchingEventTypes": ["bounce", "complaint"],
                        "SnsDestination": {"TopicARN": {"Ref": "Topic"}},
                    },
                },
            },
        }
    }
    resources = aws.resources(aws.deploy(template))
    inbox, inbox_arn = aws.inbox(resources["Topic"])
    aws.subscribe(resources["Topic"], "sqs", inbox_arn, RawMessageDelivery="true")
    return {"set": resources["Set"], "inbox": inbox}


def send(aws: Aws, recipient: str, configuration_set: str) -> str:
    sent = aws.sesv2.send_email(
        FromEmailAddress=SENDER,
        Destination={"ToAddresses": [recipient]},
        ConfigurationSetName=configuration_set,
        Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "there"}}}},
    )
    return str(sent["MessageId"])


def test_a_deployed_event_destination_can_be_read(aws: Aws, mail: dict[str, str]) -> None:
    (destination,) = aws.sesv2.get_configuration_set_event_destinations(ConfigurationSetName=mail["set"])[
        "EventDestinations"
    ]
    assert destination["MatchingEventTypes"] == ["BOUNCE", "COMPLAINT"]


@pytest.mark.parametrize(
    ("recipient", "kind", "whom"),
    [
        ("bounce@simulator.amazonses.com", "Bounce", ("bounce", "bouncedRecipients")),
        ("complaint+7@simulator.amazonses.com", "Complaint", ("complaint", "complainedRecipients")),
    ],
)
def test_the_simulator_bounces_and_complains(
    aws: Aws, mail: dict[str, str], recipient: str, kind: str, whom: tuple[str, str]
) -> None:
    message_id = send(aws, recipient, mail["set"])
    event = json.loads(aws.receive(mail["inbox"])["Body"])
    assert event["eventType"] == kind
    assert event["mail"]["messageId"] == message_id
    assert event["mail"]["tags"]["ses:configuration-set"] == [mail["set"]]
    assert event[whom[0]][whom[1]][0]["emailAddress"] == recipient


def test_an_ordinary_mail_is_in_the_outbox_and_makes_no_bounce(aws: Aws, mail: dict[str, str]) -> None:
    message_id = send(aws, "ana@example.com", mail["set"])
    outbox = [one for mails in aws.get("/_ministack/ses/messages")["messages"].values() for one in mails]
    assert [one["To"] for one in outbox if one["MessageId"] == message_id] == [["ana@example.com"]]
    assert aws.depth(mail["inbox"]) == 0


def test_a_missing_configuration_set_is_refused(aws: Aws, mail: dict[str, str]) -> None:
    with pytest.raises(ClientError, match="NotFoundException"):
        send(aws, "ana@example.com", "no-such-set")


def test_an_unknown_sender_is_rejected(aws: Aws) -> None:
    with pytest.raises(ClientError, match="MessageRejected"):
        aws.sesv2.send_email(
            FromEmailAddress="nobody@example.org",
            Destination={"ToAddresses": ["ana@example.com"]},
            Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "there"}}}},
        )


def test_the_first_api_sends_too(aws: Aws, mail: dict[str, str]) -> None:
    sent = aws.ses.send_email(
        Source=SENDER,
        Destination={"ToAddresses": ["ana@example.com"]},
        Message={"Subject": {"Data": "Hello"}, "Body": {"Html": {"Data": "<p>there</p>"}}},
    )
    outbox = [one for mails in aws.get("/_ministack/ses/messages")["messages"].values() for one in mails]
    assert sent["MessageId"] in [one["MessageId"] for one in outbox]


SENDING = """
import boto3
from botocore.exceptions import ClientError
def handler(event, context):
    try:
        boto3.client("sesv2").send_email(
            FromEmailAddress=event["sender"],
            Destination={{"ToAddresses": ["ana@example.com"]}},
            ConfigurationSetName={configuration_set!r},
            Content={{"Simple": {{"Subject": {{"Data": "Hello"}}, "Body": {{"Text": {{"Data": "there"}}}}}}}},
        )
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "sent"
"""


def sending_function(aws: Aws, configuration_set: str, **condition: Any) -> str:
    """A function that may send from the sender's identity with the configuration set, and from nowhere else."""
    prefix = f"arn:aws:ses:{REGION}:{ACCOUNT}"
    resources = [RECIPIENT, f"{prefix}:identity/{SENDER}", f"{prefix}:configuration-set/{configuration_set}"]
    policy = allow("ses:SendEmail", resources)
    policy["Statement"][0] |= condition
    return aws.function(SENDING.format(configuration_set=configuration_set), policy)


def answer(aws: Aws, function: str, sender: str) -> str:
    called = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps({"sender": sender}))
    return str(json.loads(called["Payload"].read()))


def test_a_role_may_send_from_the_identity_it_names_and_from_no_other(aws: Aws, mail: dict[str, str]) -> None:
    aws.sesv2.create_email_identity(EmailIdentity="other.example")
    function = sending_function(aws, mail["set"], Condition={"StringEquals": {"ses:FromAddress": SENDER}})
    assert answer(aws, function, SENDER) == "sent"
    assert answer(aws, function, f"News <{SENDER}>") == "sent"
    assert answer(aws, function, "news@other.example") == "AccessDeniedException"


def test_a_role_that_names_another_sender_or_configuration_set_may_not_send(aws: Aws, mail: dict[str, str]) -> None:
    condition = {"StringEquals": {"ses:FromAddress": "someone@example.com"}}
    assert answer(aws, sending_function(aws, mail["set"], Condition=condition), SENDER) == "AccessDeniedException"
    function = aws.function(
        SENDING.format(configuration_set=mail["set"]),
        allow("ses:SendEmail", [RECIPIENT, f"arn:aws:ses:{REGION}:{ACCOUNT}:identity/{SENDER}"]),
    )
    assert answer(aws, function, SENDER) == "AccessDeniedException"


def test_upstream_still_checks_no_identity(upstream: Aws) -> None:
    mail = events_to_a_queue(upstream)
    assert answer(upstream, sending_function(upstream, mail["set"]), SENDER) == "AccessDeniedException"


def test_upstream_still_publishes_no_events(upstream: Aws) -> None:
    mail = events_to_a_queue(upstream)
    send(upstream, "bounce@simulator.amazonses.com", mail["set"])
    send(upstream, "ana@example.com", "no-such-set")  # accepted, too
    assert upstream.depth(mail["inbox"]) == 0


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    process.stop(tmp_path, purge=True)


def mails_after_a_restart(state: Path, *, patched: bool) -> list[str]:
    """The recipients of mail in the engine's outbox after a stop and a start."""
    aws = Aws(process.start(state, 0, patched=patched))
    aws.sesv2.create_email_identity(EmailIdentity=SENDER)
    aws.sesv2.send_email(
        FromEmailAddress=SENDER,
        Destination={"ToAddresses": ["ada@example.org"]},
        Content={"Simple": {"Subject": {"Data": "Hello"}, "Body": {"Text": {"Data": "there"}}}},
    )
    process.stop(state)
    return [mail.to[0] for mail in mailbox.sent(process.start(state, patched=patched).endpoint)]


def test_the_outbox_outlives_a_restart(restarted: Path) -> None:
    assert mails_after_a_restart(restarted, patched=True) == ["ada@example.org"]


def test_upstream_still_loses_its_outbox_when_it_stops(restarted: Path) -> None:
    assert mails_after_a_restart(restarted, patched=False) == []
