"""SES: sending, and the events of what becomes of a mail."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.engine.aws import Aws

SENDER = "news@example.com"


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


def test_upstream_still_publishes_no_events(upstream: Aws) -> None:
    mail = events_to_a_queue(upstream)
    send(upstream, "bounce@simulator.amazonses.com", mail["set"])
    send(upstream, "ana@example.com", "no-such-set")  # accepted, too
    assert upstream.depth(mail["inbox"]) == 0
